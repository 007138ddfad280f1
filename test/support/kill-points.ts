import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** Points between a process and what it changes outside: before a change reaches its server, and before its answer returns. */
export class KillPoints {
  labels: string[] = []
  /** Kills the process at the point with this number. */
  at: { point: number; kill: () => void } | undefined

  reset(at?: KillPoints['at']): void {
    this.labels = []
    this.at = at
  }

  /** False: the process was killed here, so nothing goes on. */
  pass(label: string): boolean {
    const number = this.labels.push(label) - 1
    if (number !== this.at?.point) return true
    this.at.kill()
    return false
  }
}

/** Stands before a server. Each change (not each read) that `nameOf` names is a pair of points. */
export async function killingProxy(
  target: string,
  points: KillPoints,
  nameOf: (method: string, path: string) => string | undefined,
): Promise<{ url: string } & AsyncDisposable> {
  const { hostname, port } = new URL(target)
  const forward = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = 'GET', url = '/', headers } = incoming
    const body = await buffer(incoming)
    const name = nameOf(method, url)
    if (name !== undefined && !points.pass(`before ${name}`)) return response.destroy()
    const sent = request({ hostname, port, method, path: url, headers, agent: false })
    sent.end(body)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    const answered = await buffer(answer)
    if (name !== undefined && !points.pass(`after ${name}`)) return response.destroy()
    return response.writeHead(answer.statusCode!, answer.headers).end(answered)
  }
  const server = createServer((incoming, response) => {
    forward(incoming, response).catch(() => response.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
