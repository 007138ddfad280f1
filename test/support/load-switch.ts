import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Stands where the sidecar is, and tells each new context whether its module may load. */
export class LoadSwitch implements AsyncDisposable {
  isOn = true
  readonly #dir = mkdtempSync(join(tmpdir(), 'tb-switch-'))
  readonly socket = join(this.#dir, 's.sock')
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket)
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket))
    socket.write(this.isOn ? 'y' : 'n')
  })

  static async open(): Promise<LoadSwitch> {
    const one = new LoadSwitch()
    one.#server.listen(one.socket)
    await once(one.#server, 'listening')
    return one
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
