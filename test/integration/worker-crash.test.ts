import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { lockKey, readAttempts, readWorkers } from '#lib/queue'
import { openStandInBroker } from '../support/stand-in-broker.ts'
import { isAlive, until } from '../support/tiny-service.ts'
import { type WorkerProcess, WorkerWorld } from '../support/worker-world.ts'

/** Short, so that a job of a killed worker runs again within seconds. */
const FAST = { lockMs: 4000 }
let world: WorkerWorld
const workers: WorkerProcess[] = []

beforeAll(async () => {
  world = await WorkerWorld.open()
})
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]()
})
afterAll(() => world[Symbol.asyncDispose]())

async function spawnWorker(agentType = 'gated', more: object = FAST): Promise<WorkerProcess> {
  const worker = await world.spawnWorker(agentType, more)
  workers.push(worker)
  return worker
}

/** A request that waits at a gate of its own in a worker. */
async function running(gate: string, worker: object = FAST) {
  const first = await spawnWorker('gated', worker)
  const id = await world.add('gated', { gate })
  await world.gates.arrived(gate)
  return { first, id }
}

/** Well before the timeout of 20 s that would end a context, too. */
async function allGone(pids: number[]): Promise<void> {
  await until('every process of the worker gone', () => pids.every((pid) => !isAlive(pid)), 15_000)
}

const isActive = async (id: string) => (await world.view(id)).state === 'running'

describe('SIGTERM drains', () => {
  test('the running attempt finishes, no new one is taken, and nothing of the worker is left', async () => {
    const { first, id } = await running('drain')
    const pids = [first.pid, ...first.below()]
    first.kill('SIGTERM')
    await until('draining', () => first.said().includes('no more jobs are taken'))
    const next = await world.add('gated', { n: 2 })
    world.gates.pass('drain')
    expect(await first.exited).toBe(0)
    expect(await world.view(id)).toMatchObject({ outcome: 'completed', attempts: 1 })
    expect(await world.view(next)).toMatchObject({ state: 'waiting' })
    expect(await readWorkers(world.redis, world.queueOf('gated'))).toEqual([])
    await allGone(pids)
    await spawnWorker()
    expect(await world.ended(next)).toMatchObject({ outcome: 'completed' })
  })

  test('past the drain’s deadline the attempt is interrupted, costs no attempt, and runs again elsewhere', async () => {
    const { first, id } = await running('deadline', { ...FAST, drainMs: 300 })
    first.kill('SIGTERM')
    expect(await first.exited).toBe(0)
    expect(await world.view(id)).toMatchObject({
      state: 'waiting',
      attemptRecords: [{ attempt: 1, outcome: 'interrupted', receipt: { endedBy: 'aborted' } }],
    })
    await spawnWorker()
    await world.gates.arrived('deadline', 2)
    world.gates.pass('deadline')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
  })

  test('with Redis away it ends all the same', async () => {
    const { first, id } = await running('no-redis', { ...FAST, drainMs: 300 })
    const pids = [first.pid, ...first.below()]
    await world.redisServer.kill()
    first.kill('SIGTERM')
    await allGone(pids)
    await world.redisServer.start()
    world.gates.pass('no-redis')
    await spawnWorker()
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed' })
  })
})

describe('I9 nothing lost: kill -9', () => {
  test('of the worker: no context of it survives, and its job completes in another one', async () => {
    const { first, id } = await running('killed')
    const pids = first.below()
    expect(pids.length).toBeGreaterThan(1)
    first.kill('SIGKILL')
    await allGone(pids)
    await spawnWorker()
    await world.gates.arrived('killed', 2)
    world.gates.pass('killed')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
  })

  test('of the launcher: the worker ends, the attempt is interrupted, costs nothing and runs again', async () => {
    const { first, id } = await running('launcher')
    const pids = [first.pid, ...first.below()]
    process.kill(first.launcherPid(), 'SIGKILL')
    await first.exited
    await allGone(pids)
    const { attemptRecords } = await world.view(id)
    expect(attemptRecords.length).toBeGreaterThan(0)
    expect(attemptRecords.every((one) => one.outcome === 'interrupted' && one.attempt === 1)).toBe(true)
    await spawnWorker()
    await world.gates.arrived('launcher', 2)
    world.gates.pass('launcher')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
  })

  test('of Redis during an attempt, back after its result: the result is not lost', async () => {
    const { first, id } = await running('redis', { lockMs: 30_000 })
    await world.redisServer.kill()
    world.gates.pass('redis')
    await until('attempt ended', () => first.said().includes('attempt ended'))
    await world.redisServer.start()
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', attempts: 1 })
    const next = await world.add('gated', { n: 1 })
    expect(await world.ended(next)).toMatchObject({ outcome: 'completed' })
  })

  test('a frozen worker’s attempt is over before its job runs elsewhere', async () => {
    const { first, id } = await running('frozen')
    const contexts = first.below().filter((pid) => pid !== first.launcherPid())
    first.kill('SIGSTOP')
    await spawnWorker()
    await world.gates.arrived('frozen', 2)
    // The spare stays: only what an attempt has entered is ended.
    expect(contexts.filter(isAlive).length).toBeLessThan(contexts.length)
    world.gates.pass('frozen')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed' })
  })
})

describe('a lock that Redis does not confirm', () => {
  test('ends the attempt while the lock still holds, before the job runs elsewhere', async () => {
    const { first, id } = await running('unconfirmed')
    const contexts = first.below().filter((pid) => pid !== first.launcherPid())
    await world.redisServer.kill()
    await until('the running context gone', () => !contexts.every(isAlive), 15_000)
    await world.redisServer.start()
    await world.gates.arrived('unconfirmed', 2)
    world.gates.pass('unconfirmed')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
  })
})

describe('a lock that Redis confirms', () => {
  test('lets an attempt run for several times as long as the lock lasts', async () => {
    const { id } = await running('long')
    const begin = performance.now()
    await until('three locks later', () => performance.now() - begin > 3 * FAST.lockMs)
    world.gates.pass('long')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed' })
    expect(await readAttempts(world.redis, world.queueOf('gated'), id)).toHaveLength(1)
  })
})

describe('a lock that is lost', () => {
  test('cuts the attempt, whose job is not touched by it any more', async () => {
    const { first, id } = await running('lock')
    const lock = lockKey(world.queueOf('gated'), id)
    await world.redis.set(lock, 'somebody else', 'PX', 60_000)
    await until('attempt ended', () => first.said().includes('"outcome":"interrupted"'))
    expect(await isActive(id)).toBe(true)
    await world.redis.del(lock)
    await world.gates.arrived('lock', 2)
    world.gates.pass('lock')
    expect(await world.ended(id)).toMatchObject({ outcome: 'completed', result: { attempt: 1 } })
  })
})

describe('a sidecar', () => {
  test('that is away fails the attempt by a type; while no context can start, no attempt is used', async () => {
    const broker = await openStandInBroker({})
    await using _worker = await world.openWorker('brokered', {
      sidecarSocket: broker.socket,
      sidecarCredentialFile: world.credentialFile,
    })
    const spares = async () => (await readWorkers(world.redis, world.queueOf('brokered')))[0]?.spares
    await expect.poll(spares, { timeout: 50_000 }).toBe(1)
    await broker[Symbol.asyncDispose]()
    const id = await world.add('brokered', {})
    // A context that started before is refused its grant; none can be started while the sidecar is away.
    await expect
      .poll(async () => (await world.view(id)).attemptRecords.slice(0, 2), { timeout: 50_000 })
      .toMatchObject([
        { attempt: 1, outcome: 'failed', error: { type: 'sidecar-unreachable' } },
        { attempt: 2, outcome: 'interrupted' },
      ])
    expect((await world.view(id)).state).not.toBe('ended')
  })
})

describe('a handler that cannot be served ends the worker at start, by file and line', () => {
  const faults: [what: string, source: string, said: RegExp][] = [
    ['does not compile', 'export default {\n  run: async () => {\n', /agents\/bad\.ts:\d+:\d+: /],
    [
      'imports what is not there',
      "import './missing.ts'\nexport default 1\n",
      /agents\/bad\.ts:1:\d+: .*missing/,
    ],
    ['has no default export', 'export const agent = 1\n', /agents\/bad\.ts/],
    ['exports no agent', 'export default { run: 1 }\n', /agents\/bad\.ts.*expected defineAgent/],
    ['throws while it is loaded', "\n\nthrow new Error('no config')\n", /no config[\s\S]*agents\/bad\.ts:3/],
  ]
  test.each(faults)('one that %s', async (_what, source, said) => {
    const root = mkdtempSync(join(tmpdir(), 'tb-bad-'))
    try {
      mkdirSync(join(root, 'agents'))
      writeFileSync(join(root, 'agents/bad.ts'), source)
      const file = join(root, 'threadbound.yaml')
      writeFileSync(file, 'cluster: bad\nagents:\n  bad: { type: thread-bound, handler: ./agents/bad.ts }\n')
      const bad = await world.spawnWorker('bad', { clusterFile: file }).catch((error: unknown) => error)
      expect(bad).toBeInstanceOf(Error)
      expect((bad as { exitCode?: number }).exitCode).toBe(1)
      expect((bad as Error).message).toMatch(said)
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  })
})
