import { rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

const PREAMBLE_BYTES = 200

/** A context's end of descriptor 3 as it reached the worker: the socket, and what came after the launcher's line. */
export interface Arrival {
  socket: Socket
  rest: Buffer
}

/** The worker's socket for contexts: the launcher connects here and says for which context. */
export class ContextListener implements AsyncDisposable {
  readonly #server: Server
  readonly #expected = new Map<string, (arrival: Arrival) => void>()
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket: Socket) => this.#greet(socket))
  }

  static async open(path: string): Promise<ContextListener> {
    rmSync(path, { force: true })
    const server = createServer()
    const listener = new ContextListener(server)
    server.listen(path)
    await once(server, 'listening')
    return listener
  }

  /** Hands over the connection of a context that is about to be started. */
  expect(context: string, take: (arrival: Arrival) => void): void {
    this.#expected.set(context, take)
  }

  forget(context: string): void {
    this.#expected.delete(context)
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let held = Buffer.alloc(0)
    const read = (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      const end = held.indexOf(0x0a)
      if (end < 0 && held.length <= PREAMBLE_BYTES) return
      socket.off('data', read)
      socket.pause()
      const take = this.#takerOf(held.subarray(0, Math.max(end, 0)))
      if (take) take({ socket, rest: held.subarray(end + 1) })
      else socket.destroy()
    }
    socket.on('data', read)
  }

  #takerOf(line: Buffer): ((arrival: Arrival) => void) | undefined {
    try {
      const { context } = JSON.parse(line.toString()) as { context: string }
      const take = this.#expected.get(context)
      this.#expected.delete(context)
      return take
    } catch {
      return undefined
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    if (this.#server.listening) {
      this.#server.close()
      await once(this.#server, 'close')
    }
  }
}
