import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readAlerts, readPause, readWorkers } from '#lib/queue'
import { LoadSwitch } from '../support/load-switch.ts'
import { type WorkerProcess, WorkerWorld } from '../support/worker-world.ts'

const PATIENT = { timeout: 50_000, interval: 20 }
let world: WorkerWorld
let loads: LoadSwitch
const workers: WorkerProcess[] = []

beforeAll(async () => {
  world = await WorkerWorld.open()
})
beforeEach(async () => {
  await world.redis.flushall()
  loads = await LoadSwitch.open()
})
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]()
  await loads[Symbol.asyncDispose]()
})
afterAll(() => world[Symbol.asyncDispose]())

async function spawnWorker(agentType = 'switched', more: object = {}): Promise<WorkerProcess> {
  const switched = agentType === 'switched' ? { sidecarSocket: loads.socket } : {}
  const worker = await world.spawnWorker(agentType, { ...switched, ...more })
  workers.push(worker)
  return worker
}

const alerts = async (agentType = 'switched') =>
  (await readAlerts(world.redis, world.queueOf(agentType))).map(({ name }) => name)

async function paused(agentType = 'switched') {
  await using queue = world.queue(agentType)
  return await readPause({ redis: world.redis, queue: queue.queue, ref: world.queueOf(agentType) })
}

const views = (ids: string[]) => Promise.all(ids.map((id) => world.view(id)))

/** A worker whose module loads no more, and the requests that found that out. */
async function broken() {
  const worker = await spawnWorker()
  loads.isOn = false
  const ids: string[] = []
  // One of them still finds the spare.
  for (let n = 0; n < 3; n++) ids.push(await world.add('switched', { n }))
  await expect.poll(() => paused(), PATIENT).toBeDefined()
  // The failures of spares may pause the queue before those of the requests hand them back.
  const running = async () => (await views(ids)).filter(({ state }) => state === 'running')
  await expect.poll(running, PATIENT).toEqual([])
  return { worker, ids }
}

describe('an agent’s module that does not load any more', { timeout: 180_000 }, () => {
  test('pauses the queue, costs no request an attempt, and raises one alert', async () => {
    const { ids } = await broken()
    expect(await paused()).toMatchObject({ reason: 'agent-load-failed', message: /switched off/ })
    await expect.poll(() => alerts(), PATIENT).toEqual(['agent-load-failed'])
    const [alert] = await readAlerts(world.redis, world.queueOf('switched'))
    expect(alert).toMatchObject({ severity: 'critical', labels: { 'agent-type': 'switched', failures: '5' } })
    const late = await world.add('switched', { n: 'late' })
    expect((await world.view(late)).state).toBe('waiting')
    const back = (await views(ids)).filter(({ state }) => state === 'waiting')
    expect(back.length).toBeGreaterThanOrEqual(2)
    const records = back.flatMap((view) => view.attemptRecords)
    expect(records.length).toBeGreaterThan(0)
    for (const record of records) {
      expect(record).toMatchObject({ attempt: 1, outcome: 'interrupted', receipt: null })
      expect(record.error?.message).toContain('switched off')
    }
  })

  test('resumes it when the module loads again, and every request completes with its first attempt', async () => {
    const { ids } = await broken()
    loads.isOn = true
    for (const id of ids) {
      const view = await world.ended(id)
      expect(view).toMatchObject({ outcome: 'completed', result: 'on' })
      expect(view.attemptRecords.map(({ attempt }) => attempt)).toEqual(view.attemptRecords.map(() => 1))
    }
    expect(await paused()).toBeUndefined()
    await expect.poll(() => alerts(), PATIENT).toEqual(['agent-loads-again', 'agent-load-failed'])
  })

  test('resumes it from another worker that starts, after this one is gone', async () => {
    const { worker, ids } = await broken()
    worker.kill('SIGKILL')
    await worker.exited
    expect(await paused()).toBeDefined()
    loads.isOn = true
    await spawnWorker()
    for (const id of ids) expect(await world.ended(id)).toMatchObject({ outcome: 'completed' })
  })

  test('leaves a pause alone that an operator made', async () => {
    await using queue = world.queue('switched')
    const worker = await spawnWorker()
    await queue.queue.pause()
    // Its spare is replaced by none, since the module does not load: five failures are seen in its log.
    loads.isOn = false
    for (const pid of worker.below()) if (pid !== worker.launcherPid()) kill(pid)
    await expect.poll(() => worker.said(), PATIENT).toContain('"failures":6')
    loads.isOn = true
    await expect.poll(spares, PATIENT).toBe(1)
    expect(await paused()).toEqual({ reason: 'other' })
    expect(await alerts()).toEqual([])
  })
})

describe('alerts of a worker', { timeout: 180_000 }, () => {
  test('one that cannot load its handler at its start raises one, and pauses nothing', async () => {
    const root = mkdtempSync(join(tmpdir(), 'tb-bad-'))
    try {
      writeFileSync(join(root, 'bad.ts'), "throw new Error('no config')\n")
      const clusterFile = join(root, 'threadbound.yaml')
      const agents = 'agents:\n  switched: { type: thread-bound, handler: ./bad.ts }\n'
      writeFileSync(clusterFile, `cluster: workers\nenvironment: test\n${agents}`)
      await expect(spawnWorker('switched', { clusterFile })).rejects.toThrow('no config')
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
    expect(await alerts()).toEqual(['agent-load-failed'])
    expect(await paused()).toBeUndefined()
  })

  test('one that loses its launcher raises one, and one that drains raises none', async () => {
    const drained = await spawnWorker('gated')
    // It says that it is ready just before it listens for signals.
    await world.ended(await world.add('gated', { n: 1 }))
    drained.kill('SIGTERM')
    expect(await drained.exited).toBe(0)
    expect(await alerts('gated')).toEqual([])
    const worker = await spawnWorker('gated')
    kill(worker.launcherPid())
    await worker.exited
    expect(await alerts('gated')).toEqual(['launcher-lost'])
  })
})

async function spares(): Promise<number | undefined> {
  return (await readWorkers(world.redis, world.queueOf('switched')))[0]?.spares
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {}
}
