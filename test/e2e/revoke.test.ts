import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { processesBelow } from '../support/processes.ts'

const FILE = join(import.meta.dirname, '../support/revoke/threadbound.yaml')
let cluster: TestCluster
beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const run = (...args: string[]) => runCli([...args, '--data', cluster.data])
let values = 0
const create = () =>
  run('secrets', 'create', '--name', 'mail-key', '--value', `mail-0123456789-canary-${values++}`)
const view = async (id: string, wait = '0s'): Promise<any> =>
  (await cluster.call(`/v1/requests/${id}?wait=${wait}`)).json()

const pidsOf = (service: string) =>
  processesBelow(cluster.child.pid!).flatMap(({ pid, command }) =>
    command.at(-1)!.endsWith(`services/${service}/main.ts`) ? pid : [],
  )

/** A request whose attempt holds the secret by now. */
async function holding(holdMs: number): Promise<{ id: string; traceId: string }> {
  const body = JSON.stringify({ agent: 'holder', input: { holdMs } })
  const posted = (await (await cluster.call('/v1/requests', { method: 'POST', body })).json()) as any
  const find = async () => {
    const { stdout } = await run('secrets', 'audit', '--secret', 'mail-key', '--json')
    return (JSON.parse(stdout).events as any[]).find(
      ({ action, requestId }) => action === 'read' && requestId === posted.id,
    )
  }
  await expect.poll(find, { timeout: 30_000, interval: 50 }).toBeDefined()
  return { id: posted.id, traceId: (await find()).traceId }
}

describe('I6 threadbound revoke', () => {
  test('a secret: the attempt that holds it is cut at once, and no other is given it until it has a new value', async () => {
    await create()
    const { id } = await holding(50_000)
    const revoked = await run('revoke', '--secret', 'mail-key')
    expect(revoked).toMatchObject({ code: 0, stderr: '' })
    expect(revoked.stdout).toContain(id)
    expect(revoked.stdout).toContain('generation 1 is given to nobody')
    // Cut short for no fault of its own, it was attempted again, and refused.
    expect(await view(id, '20s')).toMatchObject({ outcome: 'failed', error: { type: 'secret-revoked' } })
    expect(await cluster.run('holder', { holdMs: 0 })).toMatchObject({ error: { type: 'secret-revoked' } })
    expect((await run('secrets', 'refresh', '--name', 'mail-key')).stdout).toBe('holder: secret-revoked\n')
    for (const command of ['status', 'get'])
      expect((await run('secrets', command, '--name', 'mail-key')).stdout).toContain('revoked')
    expect((await run('secrets', 'list')).stdout).toContain('1, revoked')
    await create()
    expect((await run('secrets', 'status', '--name', 'mail-key')).stdout).not.toContain('revoked')
    expect(await cluster.run('holder', { holdMs: 0 })).toMatchObject({ result: 'still given' })
  })

  test('does not wait for Vault, whose note comes when it can, at 4 times the second', async () => {
    await create()
    // A command that asks nobody takes as long as this machine needs to start one.
    const begunAt = performance.now()
    await run('revoke', '--secret', 'mail-kee')
    const startMs = performance.now() - begunAt
    const { id } = await holding(50_000)
    const [vault] = pidsOf('dev/vault')
    process.kill(vault!, 'SIGSTOP')
    const revoking = run('revoke', '--secret', 'mail-key')
    try {
      await expect.poll(async () => (await view(id)).attempts, { timeout: startMs + 4000 }).toBeGreaterThan(0)
    } finally {
      process.kill(vault!, 'SIGCONT')
    }
    expect((await revoking).stdout).toContain(id)
    expect(await view(id, '20s')).toMatchObject({ outcome: 'failed', error: { type: 'secret-revoked' } })
  })

  test('--keep-running: the attempt goes on, and is refused the secret from then on', async () => {
    await create()
    const { id } = await holding(50_000)
    const revoked = await run('revoke', '--secret', 'mail-key', '--keep-running', '--json')
    expect(revoked.code).toBe(0)
    expect(JSON.parse(revoked.stdout).attempts).toMatchObject([{ requestId: id, attempt: 1 }])
    expect(await view(id, '20s')).toMatchObject({ outcome: 'completed', result: 'secret-revoked' })
  })

  test('a trace: it is shown first, its request is cancelled, and nothing of it runs again', async () => {
    await create()
    const { id, traceId } = await holding(50_000)
    const revoked = await run('revoke', '--trace', traceId, '--json')
    expect(revoked.code).toBe(0)
    expect(revoked.stderr).toContain(id)
    expect(JSON.parse(revoked.stdout)).toMatchObject({
      attempts: [{ agentType: 'holder', requestId: id, secrets: ['mail-key'] }],
      warnings: [],
    })
    expect(await view(id, '20s')).toMatchObject({ outcome: 'cancelled' })
  })

  test('a trace, kept running: an attempt after it is granted nothing, by a sidecar that started since, too', async () => {
    await create()
    const { id, traceId } = await holding(50_000)
    expect((await run('revoke', '--trace', traceId, '--keep-running', '--yes')).code).toBe(0)
    expect((await view(id)).outcome).toBeUndefined()
    for (const pid of ['sidecar', 'worker'].flatMap(pidsOf)) process.kill(pid, 'SIGKILL')
    await expect
      .poll(() => view(id, '10s'), { timeout: 90_000 })
      .toMatchObject({ outcome: 'failed', error: { type: 'trace-revoked' } })
  })

  test('an agent type: its attempts are cut, and begin anew with a new token', async () => {
    const { id } = await holding(20_000)
    const revoked = await run('revoke', '--agent', 'holder', '--json')
    expect(JSON.parse(revoked.stdout).attempts).toMatchObject([{ requestId: id, attempt: 1 }])
    await expect
      .poll(() => view(id, '10s'), { timeout: 90_000 })
      .toMatchObject({ outcome: 'completed', result: 'still given' })
  })

  test('while Redis is frozen: it is done here, and the command says that no other sidecar knows', async () => {
    const redis = processesBelow(cluster.child.pid!).find(({ command }) =>
      command[0]!.includes('redis-server'),
    )!
    process.kill(redis.pid, 'SIGSTOP')
    try {
      const revoked = await run('revoke', '--agent', 'holder', '--json')
      expect(revoked).toMatchObject({ code: 1, stderr: expect.stringContaining('do not know yet') })
      expect(JSON.parse(revoked.stdout)).toMatchObject({ isTold: false, attempts: [], revokedLeases: 0 })
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
  })

  test.each<[string[], number, string]>([
    [[], 2, 'expected one of --secret, --agent and --trace'],
    [['--secret', 'mail-key', '--agent', 'holder'], 2, 'expected one of'],
    [['--secret', 'mail-kee'], 1, 'did you mean "mail-key"'],
    [['--agent', 'nobody'], 1, 'no agent type "nobody" in the cluster file'],
    [['--trace', 'x'], 1, 'expected 32 hexadecimal digits'],
  ])('%j is refused with exit %i: %s', async (args, code, why) => {
    const refused = await run('revoke', ...args)
    expect(refused).toMatchObject({ code, stdout: '' })
    expect(refused.stderr).toContain(why)
  })
})
