import { Socket } from 'node:net'
import { BROKER_CONNECTIONS, type FromThread, type ThreadSeed } from '#lib/wire'

/** The connections of a context: to its worker, and the four to the broker. */
export interface Doors {
  channel: Socket
  /** False: there is none, as far as this side can tell. */
  hasBroker: boolean
  /** One of 0 to 3. @throws when this context has no broker */
  broker(at: number): Socket
}

const CHANNEL = 3
const BROKER = 4

const open = (fd: number) => new Socket({ fd, readable: true, writable: true })

/** In a process of its own: descriptors 3 to 7, connected by the launcher. */
export function inheritedDoors(): Doors {
  return { channel: open(CHANNEL), hasBroker: true, broker: (at) => open(BROKER + at) }
}

/**
 * In a thread: connected here, before any code of the agent. They cannot come from the host, where each would have two
 * owners: Node closes a descriptor with the thread that opened it, and by then another thread may have the same number.
 */
export function connectDoors(seed: ThreadSeed, tell: (message: FromThread) => void): Doors {
  const { context, contextSocket, brokerSocket } = seed
  let missing = 0
  const connect = (path: string, preamble: object) => {
    missing++
    const socket = new Socket()
    const introduced = (error?: Error | null) => !error && --missing === 0 && tell({ t: 'connected' })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (missing === 0) return
      tell({ t: 'start-failed', message: `cannot connect to ${path}: ${error.code}` })
      process.exit(1)
    })
    socket.connect(path).write(`${JSON.stringify(preamble)}\n`, introduced)
    return socket
  }
  const channel = connect(contextSocket, { context })
  const toBroker = brokerSocket
    ? Array.from({ length: BROKER_CONNECTIONS }, () => connect(brokerSocket, { role: 'context', context }))
    : []
  const broker = (at: number) => {
    if (!toBroker[at]) throw new Error('no broker')
    return toBroker[at]
  }
  return { channel, hasBroker: toBroker.length > 0, broker }
}
