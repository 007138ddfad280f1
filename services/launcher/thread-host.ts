import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { totalmem } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  FramedSocket,
  FromHostSchema,
  hostCommand,
  isAlive,
  type Keeper,
  type Kept,
  threadArguments,
} from '#lib/context'
import { type FromHost, type LoadLimits, type ToHost, TRUSTED_FRAME_BYTES } from '#lib/wire'
import { culpritOf, type Suspect } from './culprit.ts'
import { LastWords } from './last-words.ts'
import { killProcess } from './processes.ts'
import type { Room } from './room.ts'

/** What every thread host of a launcher is made of. */
export interface HostSettings {
  node: string
  room: Room
  keeper: Keeper
  /** What the host runs, and what each thread of it runs. */
  hostEntry: string
  entry: string
  maxContexts: number
  uid?: number
  gid?: number
}

/** One context of a host. */
export interface Occupant extends Suspect {
  hear(message: FromHost): void
  /** Its host has ended. `fault`: what it did, where it was the one that took the host down. */
  lost(fault: 'out-of-memory' | 'signal' | undefined, signal: string | null): void
}

const CONTROL_FD = 3
const MIB = 2 ** 20
/** Node without a thread, and what its pools take. */
const HOST_BYTES = 128 * MIB
/** A thread beside its heap. */
const THREAD_BYTES = 32 * MIB
/** Of the machine's memory: what an operator promises to contexts may be more than there is. */
const SHARE_OF_MACHINE = 0.75
const SWEEPS = 50
const READ_OUT_MS = 200

/**
 * The process that holds a worker's threads. H1: when it ends, each of its contexts is told so once. H2: nothing that
 * was started in it outlives it where the kernel keeps a list.
 */
export class ThreadHost {
  readonly uid: number
  readonly #settings: HostSettings
  readonly #child: ChildProcess
  readonly #words: LastWords
  readonly #channel: FramedSocket
  readonly #kept: Kept
  readonly #occupants = new Map<string, Occupant>()
  readonly #startedAt = performance.now()
  #killedFor: string | undefined
  /** Resolves when it is gone, its contexts have been told, and nothing of it is left. */
  readonly ended: Promise<void>
  isOver = false

  constructor(settings: HostSettings, limits: LoadLimits, name: string) {
    this.#settings = settings
    const { node, entry, room, uid, gid } = settings
    this.uid = uid ?? process.getuid!()
    const identity = uid === undefined ? {} : { uid, gid: gid ?? uid }
    const root = process.getuid!() === 0
    this.#child = spawnHost(hostCommand({ node, limits, root, ...identity }), settings)
    this.#words = new LastWords(this.#child.stderr!)
    this.#kept = settings.keeper.open(name, {
      over: () => this.kill(),
      sharesUid: false,
      hasTmpfs: false,
      startsProcesses: limits.childProcess,
      memoryOnly: true,
    })
    this.#channel = new FramedSocket(this.#child.stdio[CONTROL_FD] as Socket, TRUSTED_FRAME_BYTES, {
      message: (message) => this.#take(FromHostSchema.parse(message)),
      close: () => this.kill(),
    })
    const { contextSocket, brokerSocket } = room
    const broker = brokerSocket ? { brokerSocket } : {}
    this.send({ t: 'host', entry, contextSocket, ...broker, threadArguments: threadArguments(limits) })
    this.ended = new Promise((resolve) => this.#child.once('exit', () => resolve(this.#finish())))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get ageMs(): number {
    return performance.now() - this.#startedAt
  }

  /** Bounds its memory; nothing may be started in it before. @throws when it cannot be: then it is killed */
  async bound(limits: LoadLimits): Promise<void> {
    try {
      await this.#bound(limits)
    } catch (error) {
      this.kill()
      throw error
    }
  }

  async #bound(limits: LoadLimits): Promise<void> {
    if (this.#child.pid === undefined) throw new Error('the thread host cannot be run')
    const each = limits.heapMiB * MIB + THREAD_BYTES
    const most = Math.floor(totalmem() * SHARE_OF_MACHINE)
    await this.#kept.load(this.pid, Math.min(most, HOST_BYTES + this.#settings.maxContexts * each))
    if (this.isOver) throw new Error(`the thread host ended at its start (${this.#words.line})`)
  }

  /** Takes a context in; from here on it hears what concerns it, until {@link leave}. */
  enter(context: string, occupant: Occupant): void {
    this.#occupants.set(context, occupant)
  }

  leave(context: string): void {
    this.#occupants.delete(context)
  }

  send(message: ToHost): void {
    this.#channel.send(message)
  }

  /** Ends it with all its threads. `context`: the one whose thread could not be ended otherwise. */
  kill(context?: string): void {
    this.#killedFor ??= context
    if (!this.isOver) this.#child.kill('SIGKILL')
  }

  #take(message: FromHost): void {
    this.#occupants.get(message.context)?.hear(message)
  }

  async #finish(): Promise<void> {
    this.isOver = true
    const closed = new Promise((resolve) => this.#child.once('close', resolve))
    await Promise.race([closed, delay(READ_OUT_MS, undefined, { ref: false })])
    const outOfMemory = this.#kept.memory.exceeded || this.#words.saysOutOfMemory
    const all = [...this.#occupants.values()]
    const culprit = this.#killedFor
      ? this.#occupants.get(this.#killedFor)
      : culpritOf(all, this.#words.threadId)
    for (const one of all)
      one.lost(
        one === culprit ? (outOfMemory ? 'out-of-memory' : 'signal') : undefined,
        this.#child.signalCode,
      )
    await this.#sweep()
    this.#kept[Symbol.dispose]()
  }

  async #sweep(): Promise<void> {
    for (let sweep = 1, left = this.#left(); left.length > 0 && sweep <= SWEEPS; sweep++) {
      for (const pid of left) killProcess(pid)
      await delay(sweep)
      left = this.#left()
    }
  }

  /** Processes that threads have started and that live. */
  #left(): number[] {
    return (this.#kept.pids() ?? []).filter((pid) => pid !== this.pid && isAlive(pid))
  }
}

/** Node lets a thread read what lies below the current directory, whatever else is refused: there is nothing. */
function spawnHost([file, ...args]: [string, ...string[]], { hostEntry, room }: HostSettings): ChildProcess {
  const stdio = ['pipe', 'ignore', 'pipe', 'pipe'] as const
  const child = spawn(file, args, { stdio: [...stdio], env: {}, cwd: room.folder })
  child.on('error', () => {})
  child.stdin!.on('error', () => {}).end(hostEntry)
  return child
}
