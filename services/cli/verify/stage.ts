import {
  type AttemptEnd,
  type AttemptEvents,
  type AttemptInput,
  type Bundle,
  type ContextLimits,
  ContextPool,
  fixedSpares,
  openLauncher,
} from '#lib/context'
import { silentLog } from '#lib/runtime'
import type { Level } from '#lib/wire'
import type { CanaryInput } from './canary/agent.ts'

/** A context as verification sees it; the control's canaries have no receipt. */
export interface Canary {
  readonly id: string
  readonly pid: number
  run(attempt: AttemptInput, on: AttemptEvents, signal: AbortSignal): Promise<CanaryEnd>
}
/** How a canary's attempt ended. */
export type CanaryEnd = Pick<AttemptEnd, 'outcome' | 'result' | 'error'> &
  Partial<Pick<AttemptEnd, 'receipt'>>

/** A request of nobody, for one attempt of a canary. */
export const attemptFor = (id: string, input: CanaryInput): AttemptInput => ({
  request: { id, attempt: 1, agentType: 'canary', tenant: 'default', metadata: {} },
  input,
  traceparent: `00-${'0'.repeat(31)}1-${'0'.repeat(15)}1-00`,
})

/** Where canaries of one column run. */
export interface Stage extends AsyncDisposable {
  /** 0 where there is none. */
  launcherPid: number
  /** The worker's socket for contexts. */
  workerSocket: string
  acquire(): Promise<Canary>
}

/** What a stage is made of. */
export interface StageOptions {
  level: Level
  /** False: the kernel's walls alone. */
  permissionModel: boolean
  /** The worker's own folder. */
  runtimeDir: string
  /** A socket that stands for the sidecar's. */
  brokerSocket: string
  bundle: Bundle
  entry: string
  limits: ContextLimits
  canaries: number
  signal: AbortSignal
  /** The launcher's program; only tests name another. */
  launcherMain?: string
}
export type OpenStage = (options: StageOptions) => Promise<Stage>

/** The real thing: a launcher and a pool, as a worker has them. @throws LevelUnavailableError */
export async function openStage(options: StageOptions): Promise<Stage> {
  const { level, runtimeDir, entry, permissionModel, brokerSocket, bundle, limits, canaries } = options
  await using parts = new AsyncDisposableStack()
  const launcher = parts.use(
    await openLauncher({
      level,
      runtimeDir,
      entry,
      ...(permissionModel ? { brokerSocket } : { permissionModel }),
      ...(options.launcherMain ? { main: options.launcherMain } : {}),
    }),
  )
  const maxContexts = 2 * canaries + 1
  const pool = parts.use(
    await ContextPool.open({ launcher, bundle, limits, spares: fixedSpares(1), maxContexts, log: silentLog }),
  )
  const open = parts.move()
  return {
    launcherPid: launcher.pid,
    workerSocket: launcher.contextSocket,
    acquire: () => pool.acquire(options.signal),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
