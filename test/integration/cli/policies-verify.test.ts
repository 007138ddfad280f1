import { describe, expect, test } from 'vitest'
import { ADMIN, openAppliedVault as setup } from '../../support/applied-vault.ts'

const jsonOf = ({ stdout }: { stdout: string }): any => JSON.parse(stdout)

describe('I5 least: policies verify', () => {
  test('shows the matrix as Vault judges it, and leaves no token behind', async () => {
    await using world = await setup()
    const accessors = async () =>
      ((await world.root('GET', 'auth/token/accessors?list=true')).body.data.keys as string[]).length
    const before = await accessors()
    const run = await world.run('policies', 'verify')
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const rows = run.stdout.split('\n').map((line) => line.split(/ {2,}/))
    expect(rows).toContainEqual([
      'agent type',
      'anthropic-api-key',
      'openai-api-key',
      'mail-key',
      'orders-db-admin',
      'orders-db',
    ])
    expect(rows).toContainEqual(['writer', 'read', '-', 'read', '-', '-'])
    expect(rows).toContainEqual(['coder', '-', 'read', '-', '-', 'read'])
    expect(rows).toContainEqual(['(the sidecar itself)', '-', '-', '-', '-', '-'])
    expect(await accessors()).toBe(before)
  })

  const writer = 'agent--writer'
  test.each<[string, string, object, string]>([
    [
      'a policy with a wildcard',
      `sys/policies/acl/tb--shop--dev--${writer}`,
      { policy: 'path "kv/*" { capabilities = ["read"] }' },
      'agent type writer: kv/data/tb/shop/dev/openai-api-key: may read, expected nothing',
    ],
    [
      'a policy with a verb more',
      `sys/policies/acl/tb--shop--dev--${writer}`,
      { policy: 'path "kv/data/tb/shop/dev/mail-key" { capabilities = ["read", "delete"] }' },
      'agent type writer: kv/data/tb/shop/dev/mail-key: may delete, read, expected read',
    ],
    [
      'a policy with less',
      `sys/policies/acl/tb--shop--dev--${writer}`,
      { policy: 'path "auth/token/revoke-self" { capabilities = ["update"] }' },
      'agent type writer: kv/data/tb/shop/dev/mail-key: may nothing, expected read',
    ],
    [
      'a token role with a second policy',
      `auth/token/roles/tb--shop--dev--${writer}`,
      { allowed_policies: ['tb--shop--dev--agent--writer', 'billing'] },
      'agent type writer has policy "billing" too',
    ],
    [
      'a token role with a glob, which gives nothing unasked but would when asked',
      `auth/token/roles/tb--shop--dev--${writer}`,
      { allowed_policies_glob: ['bill*'] },
      'token role tb--shop--dev--agent--writer differs from the plan',
    ],
    [
      'a sidecar that can read by itself',
      'auth/approle/role/tb--shop--dev--sidecar',
      { token_policies: ['tb--shop--dev--sidecar', 'tb--shop--dev--agent--writer'] },
      'the sidecar: kv/data/tb/shop/dev/mail-key: may read, expected nothing',
    ],
    [
      'a type that reads a secret of another environment',
      `sys/policies/acl/tb--shop--dev--${writer}`,
      { policy: 'path "kv/data/tb/shop/prod/mail-key" { capabilities = ["read"] }' },
      'agent type writer: kv/data/tb/shop/prod/mail-key: may read, expected nothing',
    ],
    [
      'a type that may lease from the database of others',
      `sys/policies/acl/tb--shop--dev--${writer}`,
      { policy: 'path "database/creds/billing" { capabilities = ["read"] }' },
      'agent type writer: database/creds/billing: may read, expected nothing',
    ],
  ])('fails for %s', async (_what, path, body, fault) => {
    await using world = await setup()
    await world.root('POST', 'kv/data/tb/shop/prod/mail-key', ADMIN)
    await world.root('POST', path, body)
    const run = await world.run('policies', 'verify')
    expect(run.code).toBe(1)
    expect(run.stdout).toContain(fault)
    expect(run.stderr).toContain('Vault does not give what the cluster file says')
  })

  test('shows of a secret what may be done with this one, not with its namesake of another environment', async () => {
    await using world = await setup()
    await world.root('POST', 'kv/data/tb/shop/prod/mail-key', ADMIN)
    const policy = 'path "kv/data/tb/shop/prod/mail-key" { capabilities = ["read"] }'
    await world.root('POST', 'sys/policies/acl/tb--shop--dev--agent--writer', { policy })
    const { stdout } = await world.run('policies', 'verify')
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toContainEqual([
      'writer',
      '-',
      '-',
      '-',
      '-',
      '-',
    ])
  })

  test('says what is missing where nothing was applied', async () => {
    await using world = await setup({ applied: false })
    const run = await world.run('policies', 'verify', '--json')
    expect(run.code).toBe(1)
    expect(jsonOf(run)).toMatchObject({ ok: false, cells: [] })
    expect(jsonOf(run)['faults']).toContain('AppRole tb--shop--dev--sidecar is missing')
  })
})
