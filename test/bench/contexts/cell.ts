import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Level } from '#lib/wire'
import type { TestRedis } from '../../support/queue-redis.ts'
import { bareBehind, bareSpawn, bareWorker } from './bare.ts'
import { bullmq, openRedis } from './bull.ts'
import { type BenchCluster, openCluster, threadbound } from './cluster.ts'
import type { Running, Setting } from './contender.ts'
import { buildScripts, type Script } from './scripts.ts'
import { tinypool } from './tinypool.ts'

export type Opener = () => Running | Promise<Running>

export interface CellOptions extends Setting {
  levels: Level[]
}

/** All contenders for one workload and one number of requests at once, open side by side. */
export interface Cell extends AsyncDisposable {
  all: Running[]
  /** Opens one of them a second time, for what is measured of one alone. */
  openers: Opener[]
  cluster: BenchCluster
}

/** Opens every contender that this host can run. */
export async function openCell(setting: CellOptions): Promise<Cell> {
  const { workload } = setting
  await using stack = new AsyncDisposableStack()
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tb-bench-')), (path) =>
    rmSync(path, { recursive: true, force: true }),
  )
  chmodSync(folder, 0o711)
  const cluster = stack.use(await openCluster({ ...setting, folder: makeFolder(folder, 'cluster') }))
  const parts = { folder, cluster, scripts: await buildScripts(join(folder, 'scripts'), workload) }
  const redis = stack.use(await openRedis())
  const openers = openersOf(setting, { ...parts, redis })
  const all: Running[] = []
  for (const open of openers) all.push(stack.use(await open()))
  const whole = stack.move()
  return { all, openers, cluster, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

interface Parts {
  folder: string
  scripts: Record<Script, string>
  cluster: BenchCluster
  redis: TestRedis
}

function openersOf({ atOnce, levels }: CellOptions, { folder, scripts, cluster, redis }: Parts): Opener[] {
  const spawned = { script: scripts.spawn, atOnce }
  const pooled = { script: scripts.tinypool, atOnce }
  const queued = { script: scripts.bullmq, atOnce, redis }
  const walled = levels.filter((level) => level !== 'thread')
  return [
    () => bareSpawn(spawned),
    ...walled.map((level) => () => bareBehind(level, { ...spawned, folder })),
    () => bareWorker({ script: scripts.thread, atOnce }),
    () => tinypool('child_process', pooled),
    () => tinypool('worker_threads', pooled),
    () => bullmq('inline', queued),
    () => bullmq('sandbox, process', queued),
    () => bullmq('sandbox, thread', queued),
    ...levels.map((level) => () => threadbound(level, cluster.agentType(level))),
  ]
}

function makeFolder(parent: string, name: string): string {
  const path = join(parent, name)
  mkdirSync(path, { mode: 0o700 })
  return path
}
