import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, type Keeper, type Kept, limitsInForce, processesOf, type Walls } from '#lib/context'
import type { EndedBy, FromLauncher, HeldLimits, Receipt, ToLauncher } from '#lib/wire'
import type { HeldContext } from './held.ts'
import { sweepIpc } from './ipc.ts'
import { Output } from './output.ts'
import { killAll, killProcess, killUid, signalBehind } from './processes.ts'
import type { Room } from './room.ts'
import { connectAll, firstPid, spawnContext, through } from './start.ts'

/**
 * One context as the launcher sees it. C1: after `ended` nothing that it started is alive. C2: `ended` is told exactly
 * once. C3: it ends at timeout + grace even when its worker says nothing more.
 */

/** What a context is started with. */
export interface ContainedOptions {
  start: Extract<ToLauncher, { t: 'start' }>
  walls: Walls
  keeper: Keeper
  held: HeldLimits
  room: Room
  uid: number
  entry: string
  tell: (message: FromLauncher) => void
  permissionModel?: false
}

type Acquire = Extract<ToLauncher, { t: 'acquire' }>
/** What a spare may use beside its heap, from Node's start until an attempt enters. */
const LOAD_BYTES = 160 * 2 ** 20
/** Bubblewrap tells of the first process within milliseconds of its start. */
const TELL_MS = 2000
const SWEEPS = 50
/** Objects of our own uid may be our own. */
const isOwnUid = (uid: number) => uid !== process.getuid!()

export class Contained implements HeldContext {
  readonly #options: ContainedOptions
  readonly #kept: Kept
  readonly #output: Output
  readonly #startedAt = Date.now()
  #child: ChildProcess | undefined
  #pid = 0
  #acquired: { at: number; by: Acquire } | undefined
  #acquires = 0
  #endedBy: EndedBy | undefined
  #timer: NodeJS.Timeout | undefined
  /** Resolves when the context and everything it started is gone and told. */
  readonly ended: Promise<void>
  #resolveEnded!: () => void

  constructor(options: ContainedOptions) {
    this.#options = options
    const { context, limits } = options.start
    const pass = (stream: 'stdout' | 'stderr', text: string) =>
      options.tell({ t: 'output', context, stream, text })
    this.#output = new Output(limits.outputBytes, pass, () => this.end('output-limit'))
    this.#kept = options.keeper.open(context, {
      over: () => this.end('out-of-memory'),
      sharesUid: options.walls.sharesUid,
      hasTmpfs: options.walls.diskBytes?.by === 'tmpfs',
      startsProcesses: limits.childProcess,
    })
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve))
  }

  /** Starts it, and tells `started` or `start-failed`. Never throws. */
  async start(): Promise<void> {
    const { start, tell, uid } = this.#options
    try {
      await this.#start(this.#options.start)
      tell({ t: 'started', context: start.context, pid: this.#pid, uid })
    } catch (error) {
      tell({ t: 'start-failed', context: start.context, message: this.#explain(error as Error) })
      this.end('aborted')
      if (!this.#child) this.#dispose()
    }
  }

  /** An attempt enters: from here on its limits hold. */
  async acquire(message: Acquire): Promise<void> {
    const reuse = this.#acquires++
    this.#acquired ??= { at: Date.now(), by: message }
    this.#kept.acquire(message.memoryBytes)
    this.#timer ??= setTimeout(() => this.end('timeout'), message.timeoutMs + message.graceMs)
    this.#options.tell({ t: 'acquired', context: message.context, reuse })
  }

  get isAcquired(): boolean {
    return this.#acquired !== undefined
  }

  /** Kills it; the first reason counts. */
  end(by: EndedBy): void {
    if (this.#endedBy) return
    this.#endedBy = by
    clearTimeout(this.#timer)
    if (!this.#child) return
    this.#kept.measure()
    this.#kill()
  }

  async #start({ context, limits }: ContainedOptions['start']): Promise<void> {
    const { room, walls, keeper, uid, entry } = this.#options
    const sockets = await connectAll(room, context)
    const command = through(keeper.starter, walls.command(limits, uid))
    const child = spawnContext(command, sockets, entry)
    this.#child = child
    this.#output.read('stdout', child.stdout!)
    this.#output.read('stderr', child.stderr!)
    child.once('exit', () => void this.#finish(child))
    this.#pid = await firstPid(child, command.statusFd)
    if (!this.#endedBy) await this.#kept.load(this.#pid, limits.heapMiB * 2 ** 20 + LOAD_BYTES)
    if (this.#endedBy) this.#kill()
  }

  /**
   * At `namespace` the first process is its namespace's init: the kernel ends all others before it is reaped. Bubblewrap
   * that is killed before it has told of that one leaves it behind, waiting for ever: so first it may tell.
   */
  #kill(): void {
    const isAlive = this.#child?.exitCode === null && this.#child.signalCode === null
    if (this.#pid && isAlive) killProcess(this.#pid)
    else if (isAlive && this.#options.walls.level === 'namespace')
      this.#timer = setTimeout(() => this.#child?.kill('SIGKILL'), TELL_MS)
    else this.#child?.kill('SIGKILL')
  }

  async #finish(child: ChildProcess): Promise<void> {
    clearTimeout(this.#timer)
    const leftOver = await this.#sweep()
    const closed = child.stdout!.closed && child.stderr!.closed
    if (!closed)
      await Promise.race([
        new Promise((resolve) => child.once('close', resolve)),
        delay(200, undefined, { ref: false }),
      ])
    this.#options.tell({
      t: 'ended',
      context: this.#options.start.context,
      receipt: this.#receipt(child, leftOver),
    })
    this.#dispose()
  }

  /**
   * Kills what is left until nothing is, however long it takes: meanwhile slot and uid are in quarantine. Gives how many
   * processes withstood the first second.
   */
  async #sweep(): Promise<number> {
    const { walls, uid } = this.#options
    let found = 0
    let left = this.#left()
    if (left.length > 0 && walls.sharesUid) killAll(() => this.#left())
    else if (left.length > 0 && walls.level === 'process') await killUid(uid)
    for (let sweep = 1; ; sweep++) {
      left = this.#left()
      if (left.length === 0) return found
      if (sweep === SWEEPS) found = left.length
      await delay(Math.min(sweep, SWEEPS))
      for (const pid of left) killProcess(pid)
    }
  }

  #left(): number[] {
    const { walls, uid } = this.#options
    if (walls.level === 'namespace' && this.#pid && isAlive(this.#pid)) return [this.#pid]
    const listed = this.#kept.pids()
    if (listed) return listed.filter(isAlive)
    return walls.level === 'process' && !walls.sharesUid ? processesOf(uid).filter(isAlive) : []
  }

  #receipt(child: ChildProcess, leftOver: number): Receipt {
    const { start, walls, held, uid, permissionModel } = this.#options
    const { memoryBytes = 0, timeoutMs = 0 } = this.#acquired?.by ?? {}
    const asked = { ...start.limits, memoryBytes, timeoutMs }
    const peak = this.#kept.memory.peakBytes
    const signal = child.signalCode ?? (walls.level === 'namespace' ? signalBehind(child.exitCode) : null)
    return {
      context: start.context,
      level: walls.level,
      reuse: Math.max(0, this.#acquires - 1),
      pid: this.#pid,
      uid,
      limits: limitsInForce(held, asked),
      emptyBytes: this.#kept.memory.emptyBytes,
      peakBytes: peak,
      overshootBytes: peak === null ? null : Math.max(0, peak - asked.memoryBytes),
      cpuMs: this.#kept.cpuMs,
      startedAt: this.#startedAt,
      readyAt: null,
      acquiredAt: this.#acquired?.at ?? null,
      endedAt: Date.now(),
      endedBy: this.#endedBy && this.#endedBy !== 'signal' ? this.#endedBy : this.#ownEnd(signal),
      exitCode: signal ? null : child.exitCode,
      signal,
      leftOver: { processes: leftOver, ipcObjects: isOwnUid(uid) ? sweepIpc(uid) : null },
      ...(permissionModel === false ? { permissionModel } : {}),
    }
  }

  /** What ended a context that ended by itself, even if our kill came while it did. */
  #ownEnd(signal: string | null): EndedBy {
    if (this.#kept.memory.exceeded) return 'out-of-memory'
    if (!signal) return 'exit'
    return this.#output.saysOutOfMemory ? 'out-of-memory' : 'signal'
  }

  #explain(error: Error): string {
    const said = this.#output.stderrTail.trim().split('\n').at(-1)
    return said ? `${error.message} (${said})` : error.message
  }

  #dispose(): void {
    this.#kept[Symbol.dispose]()
    this.#resolveEnded()
  }
}
