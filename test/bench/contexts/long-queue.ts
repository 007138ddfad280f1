import { setTimeout as delay } from 'node:timers/promises'
import { type BenchAgent, endedOf, threadbound } from './cluster.ts'
import { type Fact, fact } from './report.ts'
import { median } from './statistics.ts'
import { type AloneOptions, openWorkerAlone } from './worker-alone.ts'

const BATCH = 2000
const ENQUEUES = 300
const STARTS_MS = 3000

/** A queue with `waiting` jobs beside an empty one: what an enqueue costs, and how fast attempts are started. */
export async function longQueueFacts(
  options: AloneOptions,
  waiting: number,
  rounds: number,
): Promise<Fact[]> {
  await using short = await openWorkerAlone(options)
  await using long = await openWorkerAlone(options)
  const workers = [short.workerPid(), long.workerPid()]
  const ratios: { enqueue: number; start: number }[] = []
  await fill(long, waiting)
  for (let round = 0; round < rounds; round++) {
    const start = (await startsPerSecond(short)) / (await startsPerSecond(long))
    ratios.push({ start, enqueue: (await enqueueMs(long, workers)) / (await enqueueMs(short, workers)) })
  }
  await long.redis.del(long.ref.key('wait'))
  const what = `${waiting.toLocaleString('en')} waiting jobs against none`
  return [
    fact(`${what}: enqueue`, 'x', median(ratios.map(({ enqueue }) => enqueue)), { atMost: 1.2 }),
    fact(`${what}: start`, 'x', median(ratios.map(({ start }) => start)), { atMost: 1.2 }),
  ]
}

/** As plain BullMQ adds them: a million signatures would only make the wait longer. */
async function fill({ queue }: BenchAgent, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    const jobs = Array.from({ length: Math.min(left, BATCH) }, () => ({
      name: queue.name,
      data: { input: { holdMs: 0 } },
    }))
    await queue.addBulk(jobs as never)
  }
}

/** While a worker has all that it can do. */
async function startsPerSecond(agent: BenchAgent): Promise<number> {
  if ((await agent.redis.llen(agent.ref.key('wait'))) === 0)
    return await threadbound('process', agent).perSecond(100)
  const before = await endedOf(agent)
  const begin = performance.now()
  await delay(STARTS_MS)
  return (((await endedOf(agent)) - before) * 1000) / (performance.now() - begin)
}

/** While the workers stand still: one that has nothing to do is woken by each job, and takes its share of the cores. */
async function enqueueMs(agent: BenchAgent, workers: number[]): Promise<number> {
  using _still = standStill(workers)
  const times: number[] = []
  for (let at = 0; at < ENQUEUES; at++) {
    const begin = performance.now()
    await agent.add()
    times.push(performance.now() - begin)
  }
  return median(times)
}

/** For far less than the time after which a worker counts as frozen. */
function standStill(pids: number[]): Disposable {
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  return {
    [Symbol.dispose]: () => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    },
  }
}
