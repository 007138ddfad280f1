import { describe, expect, test } from 'vitest'
import { ADMIN, inventory, namesOf, openAppliedVault as setup, OTHERS } from '../../support/applied-vault.ts'
import { runCli } from '../../support/cli.ts'
import { AGENTS, clusterText, CODER, openOperatorWorld, WRITER } from '../../support/vault-operator.ts'

const jsonOf = ({ stdout }: { stdout: string }): any => JSON.parse(stdout)

describe('policies plan', () => {
  test('shows what would be made, and writes nothing', async () => {
    await using world = await setup({ applied: false })
    const run = await world.run('policies', 'plan')
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.stdout).toContain('+ policy tb--shop--dev--agent--writer')
    expect(run.stdout).toContain('    + path "kv/data/tb/shop/dev/mail-key" {')
    expect(run.stdout).toContain('+ AppRole tb--shop--dev--sidecar')
    expect(run.stdout).toContain('? database orders-db waits for its admin secret')
    expect(run.stdout).toMatch(/\n6 to create, 1 waiting\n$/)
    expect(world.writes()).toEqual([])
  })

  test('shows line by line what someone changed, field by field what is no text, and what is left over', async () => {
    await using world = await setup()
    const policy = 'sys/policies/acl/tb--shop--dev--agent--writer'
    const { body } = await world.root('GET', policy)
    const wider = body.data.policy.replace('["read"]', '["read", "list"]')
    await world.root('POST', policy, { policy: wider })
    await world.root('POST', 'auth/token/roles/tb--shop--dev--agent--coder', {
      renewable: true,
      period: '1h',
    })
    await world.root('POST', 'sys/policies/acl/tb--shop--dev--agent--old', { policy: 'path "a" {}' })
    const { stdout } = await world.run('policies', 'plan')
    expect(stdout).toContain('~ policy tb--shop--dev--agent--writer\n')
    expect(stdout).toMatch(
      / {4}- {3}capabilities = \["read", "list"\]\n {4}\+ {3}capabilities = \["read"\]\n/,
    )
    expect(stdout).toContain('    - renewable: true\n    + renewable: false\n')
    expect(stdout).toContain('    - token_period: 3600\n    + token_period: "0s"\n')
    expect(stdout).toContain('- policy tb--shop--dev--agent--old\n')
    expect(stdout).toMatch(/\n2 to change, 1 left over, which "policies prune" removes\n$/)
    expect(world.writes()).toEqual([])
    const { changes, leftOver } = jsonOf(await world.run('policies', 'plan', '--json'))
    expect(changes).toMatchObject([
      { action: 'update', kind: 'policy', name: 'tb--shop--dev--agent--writer' },
      { action: 'update', kind: 'token role', name: 'tb--shop--dev--agent--coder' },
    ])
    expect(leftOver).toEqual([{ kind: 'policy', name: 'tb--shop--dev--agent--old' }])
  })
})

describe('policies apply', () => {
  test('makes what was planned beside what others have, and a second time writes nothing', async () => {
    await using world = await setup({ applied: false })
    const before = await inventory(world)
    await world.root('POST', 'kv/data/tb/shop/dev/orders-db-admin', ADMIN)
    const run = await world.run('policies', 'apply')
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const after = await inventory(world)
    expect(after).toMatchObject(before)
    expect(namesOf(after).filter((name) => !namesOf(before).includes(name))).toEqual([
      'sys/policies/acl/tb--shop--dev--agent--coder',
      'sys/policies/acl/tb--shop--dev--agent--writer',
      'sys/policies/acl/tb--shop--dev--sidecar',
      'auth/token/roles/tb--shop--dev--agent--coder',
      'auth/token/roles/tb--shop--dev--agent--writer',
      'auth/approle/role/tb--shop--dev--sidecar',
      'database/config/tb--shop--dev--db--orders-db',
      'database/roles/tb--shop--dev--db--orders-db',
    ])
    world.writes()
    const again = await world.run('policies', 'apply')
    expect(again.stdout).toContain('Nothing differed, so nothing was changed.')
    expect(world.writes()).toEqual([])
    expect((await world.run('policies', 'plan')).stdout).toContain('Vault holds what the cluster file says')
  })

  test('writes only what differs', async () => {
    await using world = await setup()
    await world.root('POST', 'auth/token/roles/tb--shop--dev--agent--coder', { renewable: true })
    const { changes } = jsonOf(await world.run('policies', 'apply', '--json'))
    expect(changes).toHaveLength(1)
    expect(world.writes()).toEqual(['POST auth/token/roles/tb--shop--dev--agent--coder'])
  })

  test('refuses a Vault that uses one of our paths for something else, and changes nothing', async () => {
    await using world = await openOperatorWorld()
    await world.root('POST', 'sys/mounts/kv', { type: 'database' })
    const run = await world.run('policies', 'apply')
    expect(run.code).toBe(1)
    expect(run.stderr).toContain('kv/ is of type "database", expected of type "kv" version 2')
    expect(world.writes()).toEqual([])
  })
})

describe('policies prune', () => {
  test('removes what is in no plan any more, ends its database users, and leaves what is not ours', async () => {
    await using world = await setup()
    await world.root('GET', 'database/creds/tb--shop--dev--db--orders-db')
    world.cluster(clusterText('dev', WRITER).replace(/ {2}orders-db:\n[^]*$/, ''))
    world.sql.length = 0
    const run = await world.run('policies', 'prune')
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(run.stdout.split('\n').slice(2)).toEqual([
      '- database role tb--shop--dev--db--orders-db',
      '- database connection tb--shop--dev--db--orders-db',
      '- token role tb--shop--dev--agent--coder',
      '- policy tb--shop--dev--agent--coder',
      '4 removed',
      '',
    ])
    expect(world.sql.join('\n')).toContain('DROP ROLE')
    const left = namesOf(await inventory(world))
    expect(left.filter((name) => /coder|orders-db/.test(name))).toEqual([])
    for (const name of ['tb--shop--dev---x', 'billing', 'tb--shop--dev--agent--writer'])
      expect(left).toContain(`sys/policies/acl/${name}`)
    for (const [path] of OTHERS.slice(4)) expect(left).toContain(path)
    expect((await world.run('policies', 'prune')).stdout).toContain('0 removed')
  })
})

describe('environments', () => {
  test('of one cluster share no name in one Vault, and none touches what is of the other', async () => {
    await using world = await setup()
    const dev = await inventory(world)
    const prod = world.cluster(clusterText('prod', CODER), 'prod.yaml')
    await world.run('policies', 'apply', '--cluster', prod)
    const both = await inventory(world)
    expect(both).toMatchObject(dev)
    const added = namesOf(both).filter((name) => !namesOf(dev).includes(name))
    expect(added.every((name) => /\/tb--shop--prod--/.test(name))).toBe(true)
    expect(added).toHaveLength(4)
    expect((await world.run('policies', 'prune', '--cluster', prod)).stdout).toContain('0 removed')
    expect((await world.run('policies', 'verify', '--cluster', prod)).code).toBe(0)
    expect((await world.run('policies', 'verify')).code).toBe(0)
    world.cluster(clusterText('dev', AGENTS.replace('writer', 'editor')))
    await world.run('policies', 'apply')
    await world.run('policies', 'prune')
    expect(namesOf(await inventory(world)).filter((name) => name.includes('--prod--'))).toEqual(added)
  })
})

describe('a wrong way to Vault', () => {
  test('without VAULT_ADDR, with a wrong token, without a running cluster: each is said', async () => {
    await using world = await openOperatorWorld()
    const plan = ['policies', 'plan', '--cluster', 'threadbound.yaml']
    const at = (env: NodeJS.ProcessEnv) => runCli(plan, { cwd: world.folder, env })
    expect(await at({})).toMatchObject({ code: 2, stderr: expect.stringContaining('VAULT_ADDR') as string })
    expect(await at({ VAULT_ADDR: world.address })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('VAULT_TOKEN') as string,
    })
    const wrong = await at({ VAULT_ADDR: world.address, VAULT_TOKEN: 'hvs.wrong-token-0123' })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('denied (HTTP 403)') as string })
    expect(wrong.stderr).not.toContain('wrong-token')
    const none = await runCli(['policies', 'plan'], { cwd: world.folder })
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('threadbound up') as string })
  })
})
