import { setTimeout as delay } from 'node:timers/promises'
import {
  contextUidRange,
  Keeper,
  LandlockWalls,
  NamespaceWalls,
  ProcessWalls,
  UIDS,
  UidSource,
  type Walls,
  withoutPermissionModel,
} from '#lib/context'
import type { FromLauncher, HeldLimits, LauncherConfig, ToLauncher } from '#lib/wire'
import { Contained } from './contained.ts'
import type { HeldContext } from './held.ts'
import { refuseCalls } from './refuse-calls.ts'
import { openRoom, type Room } from './room.ts'
import { THREAD_HELD, ThreadContext } from './thread-context.ts'
import { ThreadHosts } from './thread-hosts.ts'

/** A context that the kernel does not let go of holds its slot; it does not hold the end of its launcher. */
const QUARANTINE_MS = 10_000

/** Starts, limits and ends contexts as one worker asks. L1: after disposal none is alive. L2: a uid is given once. */
export class Launcher implements AsyncDisposable {
  readonly #config: LauncherConfig
  readonly #tell: (message: FromLauncher) => void
  readonly #room: Room
  readonly #keeper: Keeper
  readonly #walls: Walls | undefined
  readonly #hosts: ThreadHosts | undefined
  readonly #uids: UidSource | undefined
  readonly #contexts = new Map<string, HeldContext>()
  #watch: NodeJS.Timeout | undefined

  /** Prepares the host's side. @throws when this host cannot give the level */
  constructor(config: LauncherConfig, tell: (message: FromLauncher) => void) {
    this.#config = config
    this.#tell = tell
    this.#room = openRoom(config)
    const isThread = config.level === 'thread'
    this.#uids = process.getuid!() === 0 && !isThread ? openUids() : undefined
    this.#keeper = new Keeper()
    if (!isThread) this.#keeper.refuseUnbounded()
    this.#walls = isThread ? undefined : openWalls(config, this.#room, this.#uids !== undefined)
    this.#hosts = isThread ? openHosts(config, this.#room, this.#keeper) : undefined
    this.#alive()
    tell({ t: 'open', level: config.level, held: this.#held })
  }

  /** Does what one message asks; what cannot be done is told, not thrown. */
  handle(message: ToLauncher): void {
    if (message.t === 'alive') return this.#alive()
    if (message.t === 'start') return this.#start(message)
    const context = this.#contexts.get(message.context)
    if (message.t === 'end') context?.end(message.by)
    else context?.acquire(message).catch(() => context.end('signal'))
  }

  #start(start: Extract<ToLauncher, { t: 'start' }>): void {
    const { context } = start
    if (this.#contexts.has(context)) return
    try {
      const contained = this.#hold(start)
      this.#contexts.set(context, contained)
      void contained.ended.then(() => this.#contexts.delete(context))
      void contained.start()
    } catch (error) {
      this.#tell({ t: 'start-failed', context, message: (error as Error).message })
    }
  }

  #hold(start: Extract<ToLauncher, { t: 'start' }>): HeldContext {
    const tell = this.#tell
    if (this.#hosts) return new ThreadContext({ start, hosts: this.#hosts, tell })
    const uid = this.#uids?.take() ?? process.getuid!()
    const { entry, permissionModel } = this.#config
    return new Contained({
      start,
      uid,
      entry,
      walls: this.#walls!,
      keeper: this.#keeper,
      held: this.#held,
      room: this.#room,
      tell,
      ...(permissionModel === false ? { permissionModel } : {}),
    })
  }

  /** A worker under SIGSTOP can kill nothing itself: after its silence every attempt is ended. */
  #alive(): void {
    clearTimeout(this.#watch)
    this.#watch = setTimeout(() => {
      for (const context of this.#contexts.values()) if (context.isAcquired) context.end('worker-gone')
    }, this.#config.aliveTimeoutMs)
  }

  get #held(): HeldLimits {
    return this.#walls ? { ...this.#keeper.held, diskBytes: this.#walls.diskBytes } : THREAD_HELD
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#watch)
    for (const context of this.#contexts.values()) context.end('worker-gone')
    const all = Promise.all([...this.#contexts.values()].map((context) => context.ended))
    await Promise.race([all, delay(QUARANTINE_MS, undefined, { ref: false })])
    await this.#hosts?.[Symbol.asyncDispose]()
    this.#keeper[Symbol.dispose]()
    this.#room[Symbol.dispose]()
  }
}

function openUids(): UidSource {
  const range = contextUidRange()
  if (!range) throw new Error('this user namespace maps no uids for contexts: map at least 131072 of them')
  return new UidSource(UIDS, range)
}

function openWalls(config: LauncherConfig, room: Room, root: boolean): Walls {
  const walls = wallsOf(config, room, root)
  return config.permissionModel === false ? bared(walls, config) : walls
}

function wallsOf({ level }: LauncherConfig, room: Room, root: boolean): Walls {
  if (level === 'namespace') return new NamespaceWalls({ node: room.node, folder: room.folder, ownUid: root })
  if (!root) return new LandlockWalls(room.folder)
  refuseCalls()
  return new ProcessWalls(room.node)
}

function openHosts(
  { threads, entry, hostUid, hostGid, permissionModel }: LauncherConfig,
  room: Room,
  keeper: Keeper,
): ThreadHosts {
  if (!threads) throw new Error('level thread needs the code of its host')
  if (permissionModel === false) throw new Error('level thread has no walls but the permission model')
  const identity = hostUid === undefined ? {} : { uid: hostUid, gid: hostGid ?? hostUid }
  return new ThreadHosts({ node: room.node, room, keeper, entry, ...threads, ...identity })
}

/** Never silently, and never for an attempt that could be given rights. */
function bared(walls: Walls, { level, brokerSocket }: LauncherConfig): Walls {
  if (brokerSocket !== undefined)
    throw new Error('permissionModel: false is for verification alone: refused beside a broker')
  process.stderr.write(
    `threadbound: contexts of a launcher at level ${level} run WITHOUT Node's permission model: verification alone\n`,
  )
  return withoutPermissionModel(walls)
}
