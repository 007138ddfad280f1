import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, copyFileSync, existsSync, linkSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import {
  contextUidRange,
  NamespaceWalls,
  ProcessWalls,
  type StartCommand,
  UIDS,
  UidSource,
} from '#lib/context'
import type { Level } from '#lib/wire'
import { type Answer, byRequests, type Running } from './contender.ts'
import { descendants } from './memory.ts'

/** The primitives: a process or a thread, its first message, its end. No queue, no limits, no receipt. */

/** What the primitives are opened with: the script that answers, and how many run at once. */
export interface BareOptions {
  script: string
  atOnce: number
}

const LIMITS = { heapMiB: 64, outputBytes: 2 ** 20, childProcess: false, worker: false }
const FREE_DESCRIPTORS = ['ignore', 'ignore', 'ignore', 'ignore'] as const

/** `node file`, and nothing around it. */
export function bareSpawn({ script, atOnce }: BareOptions): Running {
  const command = { file: process.execPath, args: [script], fds: [] }
  return spawned('bare spawn', 'none', { script, atOnce, command: () => command })
}

/** The same behind the walls of a level, by the launcher's own recipe. `folder`: one that every uid can pass. */
export function bareBehind(
  level: Exclude<Level, 'thread'>,
  options: BareOptions & { folder: string },
): Running {
  const { folder } = options
  const ours = join(folder, level)
  mkdirSync(ours, { recursive: true })
  const node = reachableNode(folder)
  const isRoot = process.getuid!() === 0
  const uids = isRoot ? new UidSource(UIDS, contextUidRange()!) : undefined
  const walls =
    level === 'namespace'
      ? new NamespaceWalls({ node, folder: ours, ownUid: isRoot })
      : new ProcessWalls(node)
  const command = () => walls.command(LIMITS, uids?.take() ?? process.getuid!())
  return spawned(`bare spawn, ${level} walls`, level, { ...options, command })
}

/** A second name of the same file where the file system allows it, so that all share its pages. */
function reachableNode(folder: string): string {
  const path = join(folder, 'node')
  if (existsSync(path)) return path
  try {
    linkSync(process.execPath, path)
  } catch {
    copyFileSync(process.execPath, path)
  }
  return path
}

function spawned(
  name: string,
  walls: Running['contender']['walls'],
  options: BareOptions & { command: () => StartCommand },
): Running {
  const code = readFileSync(options.script)
  const alive = new Set<number>()
  return {
    contender: { name, walls, reused: false },
    ...byRequests(options.atOnce, ({ holdMs }) => runOnce(options.command(), { code, holdMs, alive })),
    processes: () => [...alive].flatMap((pid) => [pid, ...descendants(pid)]),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Starts it, takes its first message, kills it, and waits until nothing of it holds the pipe. */
async function runOnce(
  command: StartCommand,
  { code, holdMs, alive }: { code: Buffer; holdMs: number; alive: Set<number> },
): Promise<Answer> {
  const child = spawn(command.file, [...command.args, String(holdMs)], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe', ...FREE_DESCRIPTORS, ...command.fds],
    env: {},
    cwd: '/',
    ...(command.runAs === undefined ? {} : { uid: command.runAs, gid: command.runAs }),
  })
  for (const fd of command.fds) if (typeof fd === 'number') closeSync(fd)
  alive.add(child.pid!)
  child.stdin!.on('error', () => {}).end(code)
  const closed = once(child, 'close')
  const [message] = (await Promise.race([once(child.stdio[3] as Readable, 'data'), closed])) as [unknown]
  child.kill('SIGKILL')
  await closed
  alive.delete(child.pid!)
  if (!Buffer.isBuffer(message)) throw new Error(`${command.file} ended without a message`)
  return JSON.parse(message.toString()) as Answer
}

/** `new Worker`, and nothing around it. */
export function bareWorker({ script, atOnce }: BareOptions): Running {
  return {
    contender: { name: 'bare new Worker', walls: 'thread', reused: false },
    ...byRequests(atOnce, async (workerData) => {
      const worker = new Worker(script, { workerData, env: {} })
      const [answer] = (await once(worker, 'message')) as [Answer]
      await worker.terminate()
      return answer
    }),
    processes: () => [process.pid],
    [Symbol.asyncDispose]: async () => {},
  }
}
