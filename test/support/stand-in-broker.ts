import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** A sidecar's broker as contexts see it: it notes what it was asked and answers from a table. */
export interface StandInBroker extends AsyncDisposable {
  socket: string
  preambles: { role: string; context: string }[]
  seen: {
    method: string
    url: string
    traceparent: string
    body: string
    headers: IncomingMessage['headers']
  }[]
  /** Connections that carried at least one request. */
  used: Set<Socket>
}

type Answer = (request: IncomingMessage, body: string, response: ServerResponse) => void

export async function openStandInBroker(answers: Record<string, Answer>): Promise<StandInBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'tb-broker-'))
  const broker = {
    socket: join(folder, 'sidecar.sock'),
    preambles: [],
    seen: [],
    used: new Set<Socket>(),
  } as unknown as StandInBroker
  const http = createHttpServer((request, response) => void answer(broker, answers, { request, response }))
  http.on('connect', (request, socket, head) => relay(broker, request, { socket, head }))
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {}).once('close', () => open.delete(socket))
    greet(broker, socket, () => http.emit('connection', socket))
  })
  server.listen(broker.socket)
  await once(server, 'listening')
  broker[Symbol.asyncDispose] = async () => {
    for (const socket of open) socket.destroy()
    server.close()
    await once(server, 'close')
    rmSync(folder, { recursive: true, force: true })
  }
  return broker
}

function greet(broker: StandInBroker, socket: Socket, then: () => void): void {
  let held = ''
  const read = (chunk: Buffer) => {
    held += chunk.toString('latin1')
    const end = held.indexOf('\n')
    if (end < 0) return
    socket.off('data', read)
    broker.preambles.push(JSON.parse(held.slice(0, end)))
    socket.pause()
    if (held.length > end + 1) socket.unshift(Buffer.from(held.slice(end + 1), 'latin1'))
    then()
  }
  socket.on('data', read)
}

async function answer(
  broker: StandInBroker,
  answers: Record<string, Answer>,
  { request, response }: { request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  let body = ''
  for await (const chunk of request) body += chunk
  note(broker, request, body)
  const found = answers[`${request.method} ${request.url}`]
  if (found) return found(request, body, response)
  response.writeHead(404, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { type: 'denied', message: `nothing at ${request.url}` } }))
}

/** Echoes what comes, in upper case. */
function relay(
  broker: StandInBroker,
  request: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
): void {
  note(broker, request, '')
  if (request.url !== 'orders-db:0') {
    const body = JSON.stringify({ error: { type: 'denied', message: 'no such lease' } })
    socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    return
  }
  socket.write('HTTP/1.1 200 OK\r\n\r\n')
  const shout = (chunk: Buffer) => socket.write(chunk.toString().toUpperCase())
  if (head.length > 0) shout(head)
  socket
    .on('data', shout)
    .on('end', () => socket.end())
    .on('error', () => {})
}

function note(broker: StandInBroker, request: IncomingMessage, body: string): void {
  const { method, url, headers } = request
  broker.used.add(request.socket)
  broker.seen.push({ method: method!, url: url!, traceparent: String(headers['traceparent']), body, headers })
}
