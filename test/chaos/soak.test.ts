import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contextUidRange } from '#lib/context'
import { type AttemptRecord, enqueue, readAttempts } from '#lib/queue'
import type { Receipt } from '#lib/wire'
import { costOf, type ProcessCost, zombiesOf } from '../support/process-cost.ts'
import { cgroupsOf, filesOf, residueOf } from '../support/residue.ts'
import { isAlive, until } from '../support/tiny-service.ts'
import { type WorkerProcess, WorkerWorld } from '../support/worker-world.ts'

/**
 * Many short requests through one worker. `TB_SOAK_REQUESTS` says how many; `npm run test:soak` sends 10,000.
 * Measured: memory that no file is behind, after a full collection: what is held, whoever else runs the same node now, and
 * not what V8 has not collected yet. Not measured: Redis.
 */
const REQUESTS = Number(process.env['TB_SOAK_REQUESTS'] ?? 2000)
/** What is measured after it is what the end is measured against. */
const WARM_UP = 500
const SPARES = 2
const GROWTH = 1.1
const HOUR_MS = 3_600_000
const isRoot = process.getuid!() === 0
const COLLECT = fileURLToPath(new URL('../support/gc-on-signal.ts', import.meta.url))

type Cost = ProcessCost & { heapBytes: number }
type Pair<T> = { worker: T; launcher: T }
let world: WorkerWorld
let worker: WorkerProcess
let pids: Pair<number>
const ids: string[] = []
const records: AttemptRecord[] = []
const receipts = () => records.map((record) => record.receipt as Receipt)
const measured: Record<'begin' | 'end', Pair<Cost>> = {} as never

beforeAll(async () => {
  world = await WorkerWorld.open()
  const config = { slots: 4, spares: SPARES, isolation: 'namespace' as const }
  worker = await world.spawnWorker('short', config, ['--import', COLLECT])
  pids = { worker: worker.pid, launcher: worker.launcherPid() }
  await send(Math.min(WARM_UP, REQUESTS))
  await rest()
  measured.begin = await measure()
  while (ids.length < REQUESTS) await send(Math.min(WARM_UP, REQUESTS - ids.length))
  await rest()
  measured.end = await measure()
  const queue = world.queueOf('short')
  for (const id of ids) records.push(...(await readAttempts(world.redis, queue, id)))
}, HOUR_MS)
afterAll(() => world[Symbol.asyncDispose]())

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1)
const isUnclean = ({ reuse, leftOver: { processes, ipcObjects } }: Receipt) =>
  reuse !== 0 || Boolean(processes) || Boolean(ipcObjects)

async function send(count: number): Promise<void> {
  await using open = world.queue('short')
  const { queue } = open
  const begin = performance.now()
  const { signingKey } = world
  const request = { signingKey, tenant: 'acme', caller: 'soak', attempts: 1, keepMs: HOUR_MS }
  const added = Array.from({ length: count }, (_, n) =>
    enqueue(queue, { ...request, input: { n: ids.length + n } }),
  )
  ids.push(...(await Promise.all(added)).map((job) => job.id!))
  const ended = async () => (await queue.getCompletedCount()) + (await queue.getFailedCount())
  await untilAll(ids.length, ended)
  const rate = ((count * 1000) / (performance.now() - begin)).toFixed(1)
  process.stderr.write(`soak: ${ids.length} of ${REQUESTS} requests, ${rate}/s\n`)
}

/** Rejects when nothing has ended for a minute. */
async function untilAll(count: number, ended: () => Promise<number>): Promise<void> {
  let [seen, at] = [0, performance.now()]
  while (seen < count) {
    const now = await ended()
    if (now > seen) [seen, at] = [now, performance.now()]
    if (performance.now() - at > 60_000)
      throw new Error(`${seen} of ${count} ended, then none: ${worker.said()}`)
    await delay(100)
  }
}

/** Until the spares are there again and no other context is. */
async function rest(): Promise<void> {
  await until('the worker at rest', () => worker.below().filter(isContext).length === SPARES, 60_000)
}

/** At level `namespace` node lies at the root of what it sees. */
function isContext(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/node\0')
  } catch {
    return false
  }
}

/** Collects until one more gives nothing back: V8 returns pages later, and some of what is held only hangs on finalizers. */
async function collect(pid: number): Promise<void> {
  const words = () => worker.said().split(`collected ${pid} `).length
  for (let round = 0, before = Infinity; round < 10; round++) {
    const heard = words()
    process.kill(pid, 'SIGUSR2')
    await until(`process ${pid} has collected`, () => words() > heard, 30_000)
    await delay(200)
    const now = costOf(pid).anonymousBytes
    if (now > before * 0.995) return
    before = now
  }
}

const heapOf = (pid: number) =>
  Number(new RegExp(`collected ${pid} heap (\\d+)\n(?![^]*collected ${pid} )`).exec(worker.said())?.[1])

const heldBy = (pid: number): Cost => ({ ...costOf(pid), heapBytes: heapOf(pid) })

async function measure(): Promise<Pair<Cost>> {
  for (const pid of Object.values(pids)) await collect(pid)
  const costs = { worker: heldBy(pids.worker), launcher: heldBy(pids.launcher) }
  const text = Object.entries(costs).map(
    ([name, { anonymousBytes, pssBytes, heapBytes, descriptors }]) =>
      `${name} ${megabytes(anonymousBytes)} of ${megabytes(pssBytes)} MB, heap ${megabytes(heapBytes)} MB, ${descriptors} descriptors`,
  )
  process.stderr.write(`soak: after ${ids.length}: ${text.join('; ')}\n`)
  return costs
}

describe(`${REQUESTS} short requests through one worker`, () => {
  test('I1: each ran once, in a context that no other was in', () => {
    expect(records.filter((record) => record.outcome !== 'completed')).toEqual([])
    expect(records).toHaveLength(REQUESTS)
    expect(new Set(receipts().map(({ context }) => context)).size).toBe(REQUESTS)
    expect(receipts().filter(isUnclean)).toEqual([])
  })

  test.each(['worker', 'launcher'] as const)('the %s holds no more than after the first 500', (name) => {
    const [begin, end] = [measured.begin[name], measured.end[name]]
    expect(end.heapBytes).toBeLessThan(begin.heapBytes * GROWTH)
    expect(end.residentBytes).toBeLessThan(begin.residentBytes * GROWTH)
    expect(end.descriptors).toBe(begin.descriptors)
  })

  test('no process waits to be reaped, and none but worker, launcher and spares is left', async () => {
    await until('no zombie', () => zombiesOf(Object.values(pids)).length === 0)
    expect(worker.below().filter(isContext)).toHaveLength(SPARES)
  })

  test('there are cgroups for each spare and for nothing else', () => {
    const ids = cgroupsOf(pids.launcher).flatMap((path) => /\/([0-9a-f]{24})$/.exec(path)?.[1] ?? [])
    const memoryBy = receipts()[0]!.limits.memoryBytes.by
    expect(new Set(ids).size).toBe(memoryBy === 'rlimit-data' ? 0 : SPARES)
  })

  test.skipIf(!isRoot)('their uids own no file, and are kept as one entry', () => {
    const uids = new Set(receipts().map(({ uid }) => uid))
    expect(uids.size).toBe(REQUESTS)
    expect(filesOf(uids)).toEqual([])
    const blocks = new Set([...uids].map((uid) => Math.floor((uid - contextUidRange()!.first) / 256)))
    expect([...blocks].filter((block) => existsSync(`/run/threadbound/uids/${block}`)).length).toBeLessThan(2)
  })

  test('nothing of it outlives the worker', async () => {
    const all = [worker.pid, ...worker.below()]
    worker.kill('SIGTERM')
    expect(await worker.exited).toBe(0)
    await until('every process gone', () => !all.some(isAlive))
    expect(residueOf(pids.launcher)).toEqual([])
  })
})
