import {
  contextUidRange,
  type MemoryKeeper,
  NamespaceWalls,
  openMemory,
  ProcessWalls,
  UIDS,
  UidSource,
  type Walls,
  withoutPermissionModel,
} from '#lib/context'
import type { FromLauncher, LauncherConfig, ToLauncher } from '#lib/wire'
import { Contained } from './contained.ts'
import { refuseCalls } from './refuse-calls.ts'
import { openRoom, type Room } from './room.ts'

/** Starts, limits and ends contexts as one worker asks. L1: after disposal none is alive. L2: a uid is given once. */
export class Launcher implements AsyncDisposable {
  readonly #config: LauncherConfig
  readonly #tell: (message: FromLauncher) => void
  readonly #room: Room
  readonly #memory: MemoryKeeper
  readonly #walls: Walls
  readonly #uids: UidSource | undefined
  readonly #contexts = new Map<string, Contained>()
  #watch: NodeJS.Timeout | undefined

  /** Prepares the host's side. @throws when this host cannot give the level */
  constructor(config: LauncherConfig, tell: (message: FromLauncher) => void) {
    this.#config = config
    this.#tell = tell
    this.#room = openRoom(config)
    this.#uids = process.getuid!() === 0 ? openUids() : undefined
    this.#memory = openMemory()
    const walls = openWalls(config, this.#room, this.#uids !== undefined)
    this.#walls = config.permissionModel === false ? bared(walls, config) : walls
    this.#alive()
    tell({ t: 'open', level: config.level, held: { memoryBy: this.#memory.mechanism, ...this.#walls.held } })
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
      const uid = this.#uids?.take() ?? process.getuid!()
      const { entry, permissionModel } = this.#config
      const options = {
        start,
        uid,
        entry,
        walls: this.#walls,
        memory: this.#memory,
        room: this.#room,
        tell: this.#tell,
        ...(permissionModel === false ? { permissionModel } : {}),
      }
      const contained = new Contained(options)
      this.#contexts.set(context, contained)
      void contained.ended.then(() => this.#contexts.delete(context))
      void contained.start()
    } catch (error) {
      this.#tell({ t: 'start-failed', context, message: (error as Error).message })
    }
  }

  /** A worker under SIGSTOP can kill nothing itself: after its silence every attempt is ended. */
  #alive(): void {
    clearTimeout(this.#watch)
    this.#watch = setTimeout(() => {
      for (const context of this.#contexts.values()) if (context.isAcquired) context.end('worker-gone')
    }, this.#config.aliveTimeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#watch)
    for (const context of this.#contexts.values()) context.end('worker-gone')
    await Promise.all([...this.#contexts.values()].map((context) => context.ended))
    this.#memory[Symbol.dispose]()
    this.#room[Symbol.dispose]()
  }
}

function openUids(): UidSource {
  const range = contextUidRange()
  if (!range) throw new Error('this user namespace maps no uids for contexts: map at least 131072 of them')
  return new UidSource(UIDS, range)
}

function openWalls({ level }: LauncherConfig, room: Room, root: boolean): Walls {
  if (level === 'namespace') return new NamespaceWalls({ node: room.node, folder: room.folder, ownUid: root })
  if (level === 'process' && root) {
    refuseCalls()
    return new ProcessWalls(room.node)
  }
  throw new Error(
    level === 'thread' ? 'level thread is not available in this version' : 'level process needs root',
  )
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
