import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A service outside for one test; gives its address. `closed`: it is gone already. */
export async function serve(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  { closed = false } = {},
): Promise<string> {
  const server = createServer((request, response) => void listener(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => void [server.closeAllConnections(), server.close()]
  if (closed) close()
  else onTestFinished(close)
  return `http://127.0.0.1:${port}`
}
