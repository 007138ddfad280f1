import { Socket } from 'node:net'
import { FramedSocket, LauncherConfigSchema, ToLauncherSchema } from '#lib/context'
import { type FromLauncher, type LauncherConfig, type ToLauncher, TRUSTED_FRAME_BYTES } from '#lib/wire'

/** The worker's end of the world: a configuration once, then what it asks for, until it is gone. */
export class Control {
  readonly #channel: FramedSocket
  readonly #config = Promise.withResolvers<LauncherConfig>()
  readonly #closed = Promise.withResolvers<void>()
  #configured = false
  #handle: (message: ToLauncher) => void = () => {}

  constructor(fd: number) {
    const socket = new Socket({ fd, readable: true, writable: true })
    this.#channel = new FramedSocket(socket, TRUSTED_FRAME_BYTES, {
      message: (message) => this.#take(message),
      close: (error) => {
        this.#config.reject(error ?? new Error('closed before a configuration came'))
        this.#closed.resolve()
      },
    })
  }

  /** Waits for the configuration and opens what serves it; a refusal is told, and ends this process with its worker. */
  async open<T>(create: (config: LauncherConfig, tell: (message: FromLauncher) => void) => T): Promise<T> {
    const config = await this.#config.promise
    try {
      return create(config, (message) => this.#channel.send(message))
    } catch (error) {
      this.#channel.send({ t: 'refused', message: (error as Error).message })
      await this.#closed.promise
      return process.exit(1)
    }
  }

  /** Hands on every message until the worker is gone. */
  async serve(handle: (message: ToLauncher) => void): Promise<void> {
    this.#handle = handle
    await this.#closed.promise
  }

  #take(message: unknown): void {
    if (this.#configured) return this.#handle(ToLauncherSchema.parse(message))
    this.#configured = true
    this.#config.resolve(LauncherConfigSchema.parse(message))
  }
}
