import { once } from 'node:events'
import { Socket } from 'node:net'

/**
 * A connection that a context will own: connected, its first line sent, nothing read from it.
 * It never starts to read, so no byte that the other side sends is taken from the context.
 */
export async function connectFor(path: string, preamble: object): Promise<Socket> {
  const socket = new Socket()
  socket.pause()
  socket.connect(path)
  try {
    await once(socket, 'connect')
    await new Promise<void>((resolve, reject) =>
      socket.write(`${JSON.stringify(preamble)}\n`, (error) => (error ? reject(error) : resolve())),
    )
  } catch (cause) {
    socket.destroy()
    throw new Error(`cannot connect to ${path}: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
  socket.on('error', () => {})
  return socket
}
