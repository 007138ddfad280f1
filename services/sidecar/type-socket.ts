import { chmod, mkdir, rm, stat } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { ConfigError } from '#lib/runtime'

/** Linux takes 107 bytes; longer paths are cut without a word by some layers. */
const MOST_PATH_BYTES = 106

/** The socket of one agent type: who can open it serves that type. */
export class TypeSocket implements AsyncDisposable {
  readonly #server: Server
  readonly #open = new Set<Socket>()

  private constructor(accept: (socket: Socket) => void) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#open.add(socket)
      socket.on('error', () => socket.destroy()).once('close', () => this.#open.delete(socket))
      accept(socket)
    })
  }

  /**
   * Listens on `<folder>/<agent type>/sidecar.sock`. Whoever made that directory says by its owner, group and mode who
   * enters; one that is not there is made for us alone. @throws ConfigError when the path is too long, or everybody enters
   */
  static async open(
    folder: string,
    agentType: string,
    accept: (socket: Socket) => void,
  ): Promise<TypeSocket> {
    const path = socketPath(folder, agentType)
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await refuseOpenDirectory(dirname(path))
    await rm(path, { force: true })
    const socket = new TypeSocket(accept)
    await new Promise<void>((resolve, reject) => {
      socket.#server.once('error', reject).listen({ path, backlog: 511 }, resolve)
    })
    await chmod(path, 0o660)
    return socket
  }

  /** Takes no more connections and closes those that are open. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#open) socket.destroy()
    await closed
  }
}

async function refuseOpenDirectory(path: string): Promise<void> {
  if (((await stat(path)).mode & 0o007) === 0) return
  throw new ConfigError([`TB_SOCKET_DIR: everybody may enter ${path}; expected a mode such as 0700`])
}

/** Where the sidecar listens for an agent type. @throws ConfigError when no unix socket can have that path */
export function socketPath(folder: string, agentType: string): string {
  const path = join(folder, agentType, 'sidecar.sock')
  if (Buffer.byteLength(path) <= MOST_PATH_BYTES) return path
  throw new ConfigError([
    `TB_SOCKET_DIR: ${path} is over ${MOST_PATH_BYTES} bytes; choose a shorter directory`,
  ])
}
