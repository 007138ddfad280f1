import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { VaultClient, type VaultOptions } from '#lib/vault'

/** A request as a stub server saw it. */
export interface SeenRequest {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
}
export type StubHandler = (request: SeenRequest, response: ServerResponse, nth: number) => void

/** A tiny HTTP server on loopback that answers as a test says, and remembers what it saw. */
export async function stubVault(handler: StubHandler) {
  const seen: SeenRequest[] = []
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming
      const request = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') }
      seen.push(request)
      handler(request, response, seen.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    seen,
    port,
    address: `http://127.0.0.1:${port}`,
    /** A client with no pauses between retries. */
    client: (options: Partial<VaultOptions> = {}) =>
      VaultClient.open({ address: `http://127.0.0.1:${port}`, clock: hasty, random: () => 0, ...options }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with JSON. */
export function answer(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(body === undefined ? '' : JSON.stringify(body))
}

const hasty = { now: () => Date.now(), sleep: async () => {} }
