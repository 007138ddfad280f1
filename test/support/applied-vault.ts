import { expect } from 'vitest'
import { openOperatorWorld, type OperatorWorld } from './vault-operator.ts'

/** An admin secret as it lies in Vault. */
export const ADMIN = { data: { value: 'owner:password-of-the-owner' } }

/** A Vault with other people's things, and ours where `applied`. */
export async function openAppliedVault({
  applied = true,
}: { applied?: boolean } = {}): Promise<OperatorWorld> {
  const world = await openOperatorWorld()
  for (const [path, body] of OTHERS) expect((await world.root('POST', path, body)).status).toBeLessThan(300)
  if (!applied) return world
  await world.root('POST', 'kv/data/tb/shop/dev/orders-db-admin', ADMIN)
  expect(await world.run('policies', 'apply')).toMatchObject({ code: 0, stderr: '' })
  world.writes()
  return world
}

/** What other people have in the same Vault, near enough to ours to be taken for it. */
export const OTHERS: [string, object][] = [
  ['sys/mounts/kv', { type: 'kv', options: { version: '2' } }],
  ['sys/mounts/database', { type: 'database' }],
  ['sys/auth/approle', { type: 'approle' }],
  ['kv/data/billing/stripe', { data: { key: 'theirs' } }],
  ['sys/policies/acl/billing', { policy: 'path "kv/data/billing/*" { capabilities = ["read"] }' }],
  ['sys/policies/acl/tb--shop--dev---x', { policy: 'path "a" { capabilities = ["read"] }' }],
  ['auth/token/roles/ci', { allowed_policies: ['billing'] }],
  ['auth/approle/role/deploy', { token_policies: ['billing'] }],
  ['database/config/billing', { plugin_name: 'fake', allowed_roles: ['*'] }],
  ['database/roles/billing', { db_name: 'billing', creation_statements: ['x'] }],
]

/** What a Vault holds of policies and roles, with their content. */
export async function inventory({ root }: OperatorWorld): Promise<Record<string, unknown>> {
  const shelves = [
    'sys/policies/acl',
    'auth/token/roles',
    'auth/approle/role',
    'database/config',
    'database/roles',
  ]
  const all: Record<string, unknown> = {}
  for (const shelf of shelves)
    for (const name of ((await root('GET', `${shelf}?list=true`)).body.data?.keys ?? []) as string[])
      all[`${shelf}/${name}`] = (await root('GET', `${shelf}/${name}`)).body?.data
  return all
}

export const namesOf = (all: Record<string, unknown>) => Object.keys(all)
