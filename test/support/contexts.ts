import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import {
  type AttemptEnd,
  type AttemptEvents,
  bundleAgent,
  buildChildEntry,
  type ContextLimits,
  ContextPool,
  type Context,
  fixedSpares,
  openLauncher,
  type LauncherLink,
  type LoadEvents,
  probeLevels,
  type PoolOptions,
  type SparePolicy,
} from '#lib/context'
import { silentLog } from '#lib/runtime'
import type { Level } from '#lib/wire'

/** The levels that this host gives; `walled`: those at which a context has a process of its own. */
export const levels: Level[] = (await probeLevels()).filter((one) => one.available).map((one) => one.level)

export const walled = levels.filter((level) => level !== 'thread')

export const TRACEPARENT = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
/** The times are for what must not end by them: a context weighs so little that a busy machine leaves it seconds. */
const LIMITS: ContextLimits = {
  memoryBytes: 50e6,
  timeoutMs: 60_000,
  graceMs: 500,
  outputBytes: 100_000,
  loadTimeoutMs: 60_000,
}

/** A folder of its own with an agent file in it. */
export function agentFolder(source: string): { root: string; file: string } & Disposable {
  const root = mkdtempSync(join(tmpdir(), 'tb-agent-'))
  const file = join(root, 'agent.ts')
  writeFileSync(file, source)
  return { root, file, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) }
}

export interface World extends AsyncDisposable {
  pool: ContextPool
  launcher: LauncherLink
  /** One attempt in a fresh context. */
  run(input: unknown, on?: AttemptEvents, signal?: AbortSignal): Promise<AttemptEnd & { context: Context }>
  /** One attempt in a context that shares nothing with another. */
  runAlone(input: unknown): Promise<AttemptEnd>
}

export interface WorldOptions {
  level: Level
  source?: string
  /** Instead of a source: a folder with an `agent.ts`. */
  folder?: string
  limits?: Partial<ContextLimits>
  permissions?: PoolOptions['permissions']
  brokerSocket?: string
  spares?: number | SparePolicy
  maxContexts?: number
  /** Level thread, as root: who threads run as. */
  hostUid?: number
  loads?: LoadEvents
  now?: () => number
  memory?: unknown
  /** A folder whose packages the agent may import. */
  packagesOf?: string
}

/** A launcher and a pool of contexts that hold one agent. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const { level, source = '', limits, permissions = [], brokerSocket, spares = 1, maxContexts = 8 } = options
  const folder = agentFolder(source)
  const runtimeDir = join(folder.root, 'run')
  mkdirSync(runtimeDir, { mode: 0o700 })
  if (options.packagesOf)
    symlinkSync(join(options.packagesOf, 'node_modules'), join(folder.root, 'node_modules'))
  const own = options.folder
  const bundle = await bundleAgent(own ? { root: own, file: join(own, 'agent.ts') } : folder)
  const entry = await buildChildEntry()
  const broker = brokerSocket ? { brokerSocket } : {}
  const { hostUid } = options
  const host = hostUid === undefined ? {} : { hostUid }
  if (hostUid !== undefined) letIn(hostUid, folder.root, runtimeDir)
  const launcher = await openLauncher({ level, runtimeDir, entry, maxContexts, ...host, ...broker })
  const all = { ...LIMITS, ...limits }
  const pool = await ContextPool.open({
    launcher,
    bundle,
    limits: all,
    permissions,
    spares: typeof spares === 'number' ? fixedSpares(spares) : spares,
    maxContexts,
    ...(options.loads ? { loads: options.loads } : {}),
    ...(options.now ? { now: options.now } : {}),
    log: silentLog,
  })
  return {
    pool,
    launcher,
    async run(input, on = {}, signal = new AbortController().signal) {
      const context = await pool.acquire()
      return { context, ...(await context.run(attemptOf(input, options.memory), on, signal)) }
    },
    async runAlone(input) {
      const context = await pool.acquire(undefined, { alone: true })
      return await context.run(attemptOf(input), {}, new AbortController().signal)
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]()
      await launcher[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
}

/** As if the worker had this uid: what it makes from here on may be entered by it. */
function letIn(uid: number, root: string, runtimeDir: string): void {
  chmodSync(root, 0o711)
  chownSync(runtimeDir, uid, uid)
  process.umask(0)
}

/** What enters a context, with an input and a singleton's memory. */
export function attemptOf(input: unknown, memory?: unknown) {
  const request = { id: 'probe.1', attempt: 1, agentType: 'probe', tenant: 'default', metadata: { a: 'b' } }
  return { request, input, traceparent: TRACEPARENT, ...(memory === undefined ? {} : { memory }) }
}

/** In agent code: the descriptor of its channel, 3 in a process of its own and any in a thread. */
export const CHANNEL = `(process as any)._getActiveHandles()
  .find((one: any) => one.constructor.name === 'Socket' && one._handle?.fd > 2)._handle.fd`

/** An agent whose body is `code`; `input` and `ctx` are in scope. */
export const agentOf = (code: string, before = '') => `
import { defineAgent } from 'threadbound/agent'
import * as fs from 'node:fs'
${before}
export default defineAgent({ async run(input: any, ctx) { ${code} } })
`
