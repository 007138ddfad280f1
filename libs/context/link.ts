import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import {
  FramedSocket,
  type FromLauncher,
  type HeldLimits,
  type LauncherConfig,
  type Level,
  type ToLauncher,
  TRUSTED_FRAME_BYTES,
} from '#lib/wire'
import { buildHostEntry, buildLauncher } from './bundle.ts'
import { LauncherGoneError, LevelUnavailableError } from './errors.ts'
import { ContextListener } from './listener.ts'
import { PRLIMIT, UNSHARE } from './levels/tools.ts'
import { FromLauncherSchema } from './schemas.ts'

/** The longest path of a unix socket, bytes. */
const SOCKET_PATH_BYTES = 107
const CONTROL_FD = 3

/** What a launcher is fixed to for its life. */
export interface LauncherOptions {
  level: Level
  /** A directory, 0700, of whoever calls this: the socket that contexts are connected to lies in it. Must exist. */
  runtimeDir: string
  /** The sidecar's socket for this agent type. Without it contexts have no broker. */
  brokerSocket?: string
  /** What every context starts with: {@link buildChildEntry}. */
  entry: string
  /** Silence of this process after which the launcher ends every attempt, ms. Default 25,000. */
  aliveTimeoutMs?: number
  /** Level thread: contexts alive at once at most, for which its host's memory is sized. Default 20. */
  maxContexts?: number
  /** Level thread, where the launcher is root: who agents' threads run as. Default: as the launcher. */
  hostUid?: number
  hostGid?: number
  /** Contexts without Node's permission model: see {@link LauncherConfig}. Refused beside a `brokerSocket`. */
  permissionModel?: false
  /** The launcher's program. Default: this package's. */
  main?: string
}

const MAX_CONTEXTS = 20

/** Who hears of one context. */
export interface ContextHandler {
  hear(message: FromLauncher): void
  /** The launcher has ended. */
  gone(): void
}

/** A worker's launcher. It ends when this process does, and every context with it. */
export class LauncherLink implements AsyncDisposable {
  readonly level: Level
  readonly contextSocket: string
  /** Where the contexts that it starts arrive. */
  readonly listener: ContextListener
  readonly #child: ChildProcess
  readonly #channel: FramedSocket
  readonly #handlers = new Map<string, ContextHandler>()
  readonly #opened = Promise.withResolvers<HeldLimits>()
  readonly #closed = Promise.withResolvers<void>()
  #alive: NodeJS.Timeout | undefined
  #isTrusted = () => true
  isClosed = false

  private constructor(child: ChildProcess, config: LauncherConfig, listener: ContextListener) {
    this.#child = child
    this.level = config.level
    this.contextSocket = config.contextSocket
    this.listener = listener
    this.#channel = new FramedSocket(child.stdio[CONTROL_FD] as Socket, TRUSTED_FRAME_BYTES, {
      message: (message) => this.#take(FromLauncherSchema.parse(message)),
      close: (error) => this.#close(error),
    })
    this.#channel.send(config)
  }

  /** Starts the launcher. @throws LevelUnavailableError when the host cannot give the level */
  static async open(options: LauncherOptions): Promise<LauncherLink> {
    const contextSocket = join(options.runtimeDir, 'contexts.sock')
    for (const path of [contextSocket, options.brokerSocket ?? '']) checkSocketPath(path)
    const { level, brokerSocket, entry, aliveTimeoutMs = 25_000, permissionModel } = options
    const config: LauncherConfig = {
      t: 'config',
      level,
      contextSocket,
      entry,
      aliveTimeoutMs,
      ...(brokerSocket ? { brokerSocket } : {}),
      ...(permissionModel === false ? { permissionModel } : {}),
      ...(await threadsConfig(options)),
    }
    // Before this process gives up its rights: a launcher that connects as root must find the socket where it was made,
    // in a directory that nobody who has given up his can write to.
    const listener = await ContextListener.open(contextSocket)
    letHostIn(options, contextSocket)
    const link = new LauncherLink(spawnLauncher(await programOf(options.main)), config, listener)
    try {
      await link.opened
    } catch (error) {
      await link[Symbol.asyncDispose]()
      throw error
    }
    link.#alive = setInterval(() => {
      if (link.#isTrusted()) link.send({ t: 'alive' })
    }, aliveTimeoutMs / 5).unref()
    return link
  }

  /** The launcher's process id. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** What the launcher holds of every context. Rejects when the host cannot give the level. */
  get opened(): Promise<HeldLimits> {
    return this.#opened.promise
  }

  /** Resolves when the launcher is gone. */
  get closed(): Promise<void> {
    return this.#closed.promise
  }

  /** While this gives false the launcher hears no sign of life, as if this process were frozen. */
  aliveWhile(isTrusted: () => boolean): void {
    this.#isTrusted = isTrusted
  }

  /** Hears what concerns one context, until {@link forget}: nothing of a context is kept here after its end. */
  listen(context: string, handler: ContextHandler): void {
    if (this.isClosed) queueMicrotask(() => handler.gone())
    else this.#handlers.set(context, handler)
  }

  /** Hears nothing more of a context. */
  forget(context: string): void {
    this.#handlers.delete(context)
  }

  /** Tells the launcher; a launcher that is gone hears nothing. */
  send(message: ToLauncher): void {
    this.#channel.send(message)
  }

  #take(message: FromLauncher): void {
    if (message.t === 'open') this.#opened.resolve(message.held)
    else if (message.t === 'refused')
      this.#opened.reject(new LevelUnavailableError(this.level, message.message))
    else this.#handlers.get(message.context)?.hear(message)
  }

  #close(error: Error | undefined): void {
    this.isClosed = true
    clearInterval(this.#alive)
    this.#opened.reject(new LauncherGoneError(error?.message))
    this.#closed.resolve()
    for (const handler of this.#handlers.values()) handler.gone()
  }

  /** Ends the launcher and every context with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#alive)
    this.#channel.destroy()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
    await this.listener[Symbol.asyncDispose]()
  }
}

/** Starts a worker's launcher; called while the worker still has the rights that the launcher keeps. */
export const openLauncher = (options: LauncherOptions): Promise<LauncherLink> => LauncherLink.open(options)

async function threadsConfig(options: LauncherOptions): Promise<Partial<LauncherConfig>> {
  const { level, maxContexts = MAX_CONTEXTS, hostUid, hostGid } = options
  if (level !== 'thread') return {}
  const identity = hostUid === undefined ? {} : { hostUid, hostGid: hostGid ?? hostUid }
  return { threads: { hostEntry: await buildHostEntry(), maxContexts }, ...identity }
}

/** Node's arguments for the launcher, and what it gets on its stdin. A program other than ours runs from where it lies. */
interface Program {
  args: string[]
  stdin: string
}

async function programOf(main: string | undefined): Promise<Program> {
  if (main !== undefined) return { args: [main], stdin: '' }
  return { args: ['--title=threadbound-launcher', '--input-type=module', '-'], stdin: await buildLauncher() }
}

/** In a mount namespace of its own where root, so that what it mounts is on no one else's host. */
function spawnLauncher({ args: own, stdin }: Program): ChildProcess {
  const node = [process.execPath, '--disable-sigusr1', '--disable-warning=ExperimentalWarning', ...own]
  const root = process.getuid?.() === 0
  const limits = [PRLIMIT, '--core=0:0']
  const apart = root ? [UNSHARE, '--mount', '--propagation', 'private'] : []
  const [file, ...args] = [...limits, ...apart, ...node]
  const child = spawn(file!, args, { env: {}, cwd: '/', stdio: ['pipe', 'ignore', 'inherit', 'pipe'] })
  child.on('error', () => {})
  child.stdin!.on('error', () => {}).end(stdin)
  return child
}

/** A thread host connects by itself: its group may pass to the socket, and still put no other in its place. */
function letHostIn({ level, runtimeDir, hostUid, hostGid = hostUid }: LauncherOptions, socket: string): void {
  if (level !== 'thread' || hostGid === undefined) return
  for (const [path, mode] of [
    [runtimeDir, 0o710],
    [socket, 0o660],
  ] as const) {
    chownSync(path, process.getuid!(), hostGid)
    chmodSync(path, mode)
  }
}

function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES) return
  throw new Error(`socket path "${path}" has ${Buffer.byteLength(path)} bytes, at most ${SOCKET_PATH_BYTES}`)
}
