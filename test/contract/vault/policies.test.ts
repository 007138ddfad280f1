import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  applyPolicies,
  issueWrappedSecretId,
  planPolicies,
  planVault,
  type PolicyInput,
  provePolicies,
  prunePolicies,
  putSecret,
  VaultClient,
} from '#lib/vault'
import { openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

let target: VaultTarget
let client: VaultClient
beforeAll(async () => {
  target = await openVaultTarget()
  client = await VaultClient.open({ address: target.address })
})
afterAll(async () => {
  await client[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
})

/** A cluster of its own for each test, applied: no two share a name, so they may meet in one Vault. */
async function setup(environment = 'dev', cluster = `t${randomBytes(6).toString('hex')}`) {
  const input: PolicyInput = {
    cluster,
    environment,
    agentTypes: [
      { name: 'writer', secrets: [{ name: 'mail-key', kind: 'static' }] },
      {
        name: 'coder',
        secrets: [
          { name: 'chat-key', kind: 'static' },
          { name: 'orders-db', kind: 'database' },
        ],
      },
    ],
    databases: [],
    staticSecrets: ['mail-key', 'chat-key', 'for-nobody', 'chat-admin'],
    rotated: [{ secret: 'chat-key', adminSecret: 'chat-admin', appRole: 'of-others' }],
  }
  const token = target.rootToken
  const desired = planPolicies(input)
  const done = await applyPolicies(client, token, desired)
  const role = (name: string) => `auth/token/roles/${desired.names.agent(name)}`
  const policy = (name: string) => `sys/policies/acl/${desired.names.agent(name)}`
  return { input, desired, token, done, role, policy, names: desired.names, cluster }
}

const faultsOf = async ({ desired, input, token }: Awaited<ReturnType<typeof setup>>) =>
  (await provePolicies(client, token, { desired, input })).faults.map(({ text }) => text)

const tokens = async () =>
  new Set((await target.root('GET', 'auth/token/accessors?list=true')).body.data.keys as string[])

describe('policies', () => {
  test('what was applied compares equal to what this Vault answers, so nothing is written twice', async () => {
    const { desired, token, done } = await setup()
    expect(done.changes.filter(({ kind }) => kind !== 'mount' && kind !== 'auth method')).toHaveLength(8)
    expect(await planVault(client, token, desired)).toEqual({ changes: [], leftOver: [], waiting: [] })
    expect(await applyPolicies(client, token, desired)).toEqual({ changes: [], waiting: [] })
  })

  test('each field of a role that was changed is found, and put back', async () => {
    const { desired, token, role } = await setup()
    const changed = { renewable: true, token_period: '1h', allowed_policies_glob: ['x*'], orphan: true }
    expect((await target.root('POST', role('writer'), changed)).status).toBeLessThan(300)
    const { changes } = await applyPolicies(client, token, desired)
    expect(changes.map(({ kind, action }) => [kind, action])).toEqual([['token role', 'update']])
    for (const field of Object.keys(changed))
      expect(changes[0]!.diff.filter((line) => line.includes(` ${field}: `))).toHaveLength(2)
    expect((await planVault(client, token, desired)).changes).toEqual([])
  })

  test('I5 Vault allows each identity what was declared, and a proof says so', async () => {
    const world = await setup()
    await putSecret(client, world.token, { ...world.names.scope, name: 'mail-key', value: 'v' })
    const { cells, faults } = await provePolicies(client, world.token, world)
    expect(faults).toEqual([])
    const allowed = cells.filter(({ agentType, found }) => agentType === 'writer' && found.length > 0)
    expect(allowed.map(({ path, found }) => [path, ...found])).toEqual([
      [world.names.secret('mail-key'), 'read'],
      ['auth/token/revoke-self', 'update'],
    ])
  })

  test('I5 a proof finds a wider policy, a second policy of a role, and a role of the sidecar that reads', async () => {
    const world = await setup()
    const wide = `path "kv/data/tb/${world.cluster}/*" { capabilities = ["read"] }`
    await target.root('POST', world.policy('writer'), { policy: wide })
    expect(await faultsOf(world)).toContain(
      `agent type writer: ${world.names.secret('for-nobody')}: may read, expected nothing`,
    )
    await applyPolicies(client, world.token, world.desired)
    const both = [world.names.agent('writer'), world.names.agent('coder')]
    await target.root('POST', world.role('writer'), { allowed_policies: both })
    expect(await faultsOf(world)).toContain(`agent type writer has policy "${both[1]}" too`)
    await applyPolicies(client, world.token, world.desired)
    const sidecar = `auth/approle/role/${world.names.sidecar}`
    await target.root('POST', sidecar, { token_policies: [world.names.sidecar, both[0]] })
    expect(await faultsOf(world)).toContain(
      `the sidecar: ${world.names.secret('mail-key')}: may read, expected nothing`,
    )
    await applyPolicies(client, world.token, world.desired)
    expect(await faultsOf(world)).toEqual([])
  })

  test('I5 the rotator may write what it rotates and no other secret, and no agent type reads what it notes', async () => {
    const world = await setup()
    const { names } = world
    const { cells, faults } = await provePolicies(client, world.token, world)
    expect(faults).toEqual([])
    const at = (path: string) => cells.filter((cell) => cell.path === path && cell.found.length > 0)
    const whole = ['create', 'read', 'update']
    for (const path of [names.rotation('chat-key'), names.pending('chat-key')])
      expect(at(path)).toEqual([{ service: 'rotator', path, expected: whole, found: whole }])
    const written = cells.filter(({ found, path }) => path.startsWith('kv/data/') && found.includes('update'))
    expect(written.map(({ service, path }) => [service, path])).toEqual([
      ['sidecar', names.auditHead('sidecar')],
      ['rotator', names.secret('chat-key')],
      ['rotator', names.rotation('chat-key')],
      ['rotator', names.pending('chat-key')],
    ])
    expect(at(names.secret('chat-admin'))).toMatchObject([{ service: 'rotator', found: ['read'] }])
  })

  test('I5 a proof finds an agent type that holds the policy of the rotator, and a rotator that may write more', async () => {
    const world = await setup()
    const { names } = world
    await target.root('POST', world.role('coder'), {
      allowed_policies: [names.agent('coder'), names.rotator],
    })
    expect(await faultsOf(world)).toEqual(
      expect.arrayContaining([
        `agent type coder has policy "${names.rotator}" too`,
        `agent type coder: ${names.secret('chat-admin')}: may read, expected nothing`,
      ]),
    )
    await applyPolicies(client, world.token, world.desired)
    const wide = `path "kv/data/tb/${world.cluster}/dev/+" { capabilities = ["create", "update"] }`
    await target.root('POST', `sys/policies/acl/${names.rotator}`, { policy: wide })
    expect(await faultsOf(world)).toContain(
      `the rotator: ${names.secret('mail-key')}: may create, update, expected nothing`,
    )
  })

  test('I5 a login of the rotator writes where Vault lets it: a new value with check-and-set, no other secret', async () => {
    const world = await setup()
    const { names, input } = world
    const issued = await issueWrappedSecretId(client, world.token, { ...input, service: 'rotator' })
    const { secret_id: secretId } = await client.unwrap(issued.wrapped.token)
    const { token } = await client.approleLogin({ roleId: issued.roleId, secretId: String(secretId) })
    expect(await client.kvWrite(token, names.secret('chat-key'), { value: 'new' }, 0)).toBe(1)
    expect(await client.kvWrite(token, names.pending('chat-key'), { value: 'next' }, 0)).toBe(1)
    await client.inventory.remove(token, names.pendingMetadata('chat-key'))
    expect(await client.inventory.read(world.token, names.pending('chat-key'))).toBeUndefined()
    for (const path of [names.secret('mail-key'), names.secret('chat-admin'), names.rotation('mail-key')])
      await expect(client.kvWrite(token, path, { value: 'x' })).rejects.toMatchObject({ kind: 'denied' })
    await client.revokeSelf(token)
  })

  test('I5 a proof finds what the entity of the sidecar gives, which no role and no policy of ours shows', async ({
    skip,
  }) => {
    if (!target.isReal) skip('the dev Vault has no identities')
    const world = await setup()
    await faultsOf(world)
    await target.root('POST', `sys/policies/acl/${world.cluster}-more`, {
      policy: `path "${world.names.secret('for-nobody')}" { capabilities = ["read"] }`,
    })
    const { keys } = (await target.root('GET', 'identity/entity/id?list=true')).body.data
    const policies = [`${world.cluster}-more`]
    for (const id of keys) await target.root('POST', `identity/entity/id/${id}`, { policies })
    expect((await planVault(client, world.token, world.desired)).changes).toEqual([])
    expect(await faultsOf(world)).toContain(
      `agent type writer: ${world.names.secret('for-nobody')}: may read, expected nothing`,
    )
    for (const id of keys) await target.root('POST', `identity/entity/id/${id}`, { policies: [] })
  })

  test('I5 a proof leaves no token behind', async () => {
    const world = await setup()
    const before = await tokens()
    await faultsOf(world)
    // Of those that were there before, some may have ended.
    expect([...(await tokens()).difference(before)]).toEqual([])
  })

  test('prune takes what is ours and in no plan, and nothing of another environment or of others', async () => {
    const world = await setup()
    const near = await setup('dev-', world.cluster)
    const only = planPolicies({ ...world.input, agentTypes: world.input.agentTypes.slice(0, 1) })
    const removed = await prunePolicies(client, world.token, only)
    expect(removed).toEqual([
      { kind: 'token role', name: world.names.agent('coder') },
      { kind: 'policy', name: world.names.agent('coder') },
    ])
    expect((await planVault(client, near.token, near.desired)).changes).toEqual([])
    expect(await prunePolicies(client, world.token, only)).toEqual([])
  })
})
