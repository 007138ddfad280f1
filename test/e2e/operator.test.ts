import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openRedis, queueOf, readAlerts } from '#lib/queue'
import { runCli } from '../support/cli.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'

const FILE = join(import.meta.dirname, '../support/operator/threadbound.yaml')
const VALUES = ['mail-0123456789-canary-one', 'mail-0123456789-canary-two']
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE, env: { TB_POLICY_CHECK_EVERY: '1s' } })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const run = (...args: string[]) => runCli([...args, '--data', cluster.data])
const feed = (stdin: string, ...args: string[]) => runCli([...args, '--data', cluster.data], { stdin })
const hashOf = (value: string) => createHash('sha256').update(value).digest('hex')
const create = ['secrets', 'create', '--name', 'mail-key', '--provider', 'mail', '--value', '-']
const auditLog = () => readFileSync(join(cluster.data, 'audit.log'), 'utf8')
/** Writes to Vault as someone with the root token would, past all commands. */
async function byHand(path: string, body: object): Promise<void> {
  const headers = {
    'x-vault-token': readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8'),
  }
  await fetch(`${cluster.ready.vault}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}
const widen = () =>
  byHand('sys/policies/acl/tb--operated--test--agent--prompt', {
    policy: 'path "kv/*" { capabilities = ["read"] }',
  })
const jsonOf = ({ stdout }: { stdout: string }): any => JSON.parse(stdout)

describe('an operator beside a running cluster', () => {
  test('a value that was missed is there for the next request, and a newer one for the one after', async () => {
    const missing = await cluster.run('courier', {})
    expect(missing).toMatchObject({ outcome: 'failed', error: { type: 'secret-not-found' } })
    for (const [at, value] of VALUES.entries()) {
      const created = await feed(value, ...create)
      expect(created).toMatchObject({ code: 0, stderr: '' })
      expect(created.stdout).toContain(`courier: generation ${at + 1} from now on`)
      expect(await cluster.run('courier', {})).toMatchObject({ outcome: 'completed', result: hashOf(value) })
    }
  })

  test('I8 a reveal is in the audit log with who and which generation, and create and refresh are too', async () => {
    const revealed = await run('secrets', 'get', '--name', 'mail-key', '--reveal')
    expect(revealed).toEqual({ code: 0, stdout: `${VALUES[1]}\n`, stderr: '' })
    const { events, verdict } = jsonOf(
      await run('secrets', 'audit', '--secret', 'mail-key', '--verify', '--json'),
    )
    expect(events).toContainEqual(
      expect.objectContaining({
        action: 'reveal',
        source: expect.stringMatching(/ uid \d+ pid \d+$/) as string,
        vaultRequest: expect.any(String) as string,
        secret: 'mail-key',
        generation: 2,
        operator: expect.any(String) as string,
      }),
    )
    const actions = (events as { action: string }[]).map(({ action }) => action)
    expect(actions).toEqual(expect.arrayContaining(['create', 'refresh', 'read', 'reveal']))
    expect(verdict).toMatchObject({ ok: true, noted: [{ place: 'Vault' }, { place: 'Redis' }], silent: [] })
    for (const value of VALUES) expect(auditLog()).not.toContain(value)
  })

  test('speaks to the same sidecar without its data directory, when the environment names its socket', async () => {
    const outside = (env: NodeJS.ProcessEnv, ...args: string[]) =>
      runCli([...args, '--name', 'mail-key', '--cluster', FILE], {
        env: {
          VAULT_ADDR: cluster.ready.vault,
          VAULT_TOKEN: readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8'),
          ...env,
        },
      })
    const { operator } = JSON.parse(readFileSync(join(cluster.data, 'up.json'), 'utf8'))
    const named = {
      TB_OPERATOR_SOCKET: operator.socket,
      TB_OPERATOR_CREDENTIAL_FILE: operator.credentialFile,
    }
    expect(await outside(named, 'secrets', 'refresh')).toMatchObject({ code: 0, stderr: '' })
    expect(await outside(named, 'secrets', 'get', '--reveal')).toMatchObject({ stdout: `${VALUES[1]}\n` })
    expect((await outside({}, 'secrets', 'refresh')).stderr).toContain('TB_OPERATOR_SOCKET')
    const half = await outside({ TB_OPERATOR_SOCKET: operator.socket }, 'secrets', 'refresh')
    expect(half).toMatchObject({ code: 2, stderr: expect.stringContaining('expected both or neither') })
  })

  test('I8 what cannot be put on record is not revealed', async () => {
    const credential = join(cluster.data, 'credentials/operator')
    const before = readFileSync(credential, 'utf8')
    writeFileSync(credential, 'another-credential-0123456789')
    const refused = await run('secrets', 'get', '--name', 'mail-key', '--reveal')
    writeFileSync(credential, before)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain(
      'what cannot be put on record is not shown: the sidecar refuses: wrong credential',
    )
  })

  test('status says what the sidecar keeps, refresh what each agent type finds', async () => {
    const status = await run('secrets', 'status', '--name', 'mail-key')
    expect(status.stdout).toMatch(/^cache +courier: generation 2, for \d m \d+ s$/m)
    expect(status.stdout).toMatch(/^rotation +none: the cluster file has no rotate$/m)
    const value = 'mail-0123456789-written-by-hand'
    await byHand('kv/data/tb/operated/test/mail-key', { data: { value } })
    expect(await cluster.run('courier', {})).toMatchObject({ result: hashOf(VALUES[1]!) })
    const refreshed = await run('secrets', 'refresh', '--name=mail-key')
    expect(refreshed).toMatchObject({ code: 0, stdout: 'courier: generation 3 from now on\n' })
    expect(await cluster.run('courier', {})).toMatchObject({
      result: hashOf(value),
    })
  })

  test('a secret that was deleted is gone for the next request, and refresh says so with exit 1', async () => {
    expect(await run('secrets', 'delete', '--name', 'mail-key')).toMatchObject({ code: 0, stderr: '' })
    expect(await cluster.run('courier', {})).toMatchObject({ error: { type: 'secret-not-found' } })
    const refreshed = await run('secrets', 'refresh', '--name', 'mail-key')
    expect(refreshed).toMatchObject({ code: 1, stdout: 'courier: secret-not-found\n' })
  })

  test('replacing what a stand-in made is said to break it', async () => {
    const made = await feed(
      'sk-real-0123456789-abcdef',
      ...'secrets create --name anthropic-api-key --value -'.split(' '),
    )
    expect(made.stderr).toContain('"up" stands in for anthropic')
  })

  test('a policy that is changed by hand is an alert of its agent type, and its repair another', async () => {
    const passwordFile = join(cluster.data, 'credentials/redis-console')
    const redis = await openRedis({ ...cluster.ready.redis, user: 'console', passwordFile }, 'reader')
    const queue = queueOf({ cluster: 'operated', environment: 'test' }, 'prompt')
    const alerts = async () => (await readAlerts(redis, queue)).map(({ name }) => name)
    await widen()
    await expect.poll(alerts, { timeout: 30_000 }).toEqual(['policy-drift'])
    expect((await readAlerts(redis, queue))[0]).toMatchObject({
      severity: 'critical',
      labels: { 'agent-type': 'prompt', changes: 'policy tb--operated--test--agent--prompt was changed' },
    })
    expect(cluster.said()).toContain(
      'alert policy-drift: policy tb--operated--test--agent--prompt was changed',
    )
    await run('policies', 'apply')
    await expect.poll(alerts, { timeout: 30_000 }).toEqual(['policy-drift-over', 'policy-drift'])
    redis.disconnect()
  })

  test('I5 plan finds nothing to change, verify holds, and a policy made wider by hand fails it', async () => {
    expect((await run('policies', 'plan')).stdout).toContain('Vault holds what the cluster file says')
    expect(await run('policies', 'verify')).toMatchObject({ code: 0, stderr: '' })
    await widen()
    expect((await run('policies', 'verify')).code).toBe(1)
    expect((await run('policies', 'apply')).stdout).toContain('~ policy tb--operated--test--agent--prompt')
    expect((await run('policies', 'verify')).code).toBe(0)
  })
})
