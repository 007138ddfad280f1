import { mkdtempSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { GrantError, openSidecarClient } from '../../../services/worker/sidecar-client.ts'

const asked = {
  context: 'c',
  jobId: 'a.1',
  attempt: 1,
  lockToken: 't',
  job: {},
  traceparent: '',
  timeoutMs: 1,
}

/** A sidecar socket that answers every request with `answer`, and keeps what it was sent. */
async function setup(answer: string) {
  const path = join(mkdtempSync(join(tmpdir(), 'tb-')), 's.sock')
  const received: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => {
      received.push(chunk.toString())
      if (received.join('').includes('\r\n\r\n')) socket.write(answer)
    })
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => void server.listen(path, resolve))
  const client = openSidecarClient(path, 'credential')
  return {
    client,
    received,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

const http = (status: string, body: object) => {
  const text = JSON.stringify(body)
  return `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`
}

test('a connection begins with the preamble that says it is a worker', async () => {
  await using world = await setup(http('201 Created', { grant: 'g1' }))
  expect(await world.client.grant(asked)).toBe('g1')
  const [preamble, request] = world.received.join('').split('\n', 2)
  expect(JSON.parse(preamble!)).toEqual({ role: 'worker', credential: 'credential' })
  expect(request).toMatch(/^POST \/v1\/grants HTTP\/1\.1/)
})

test('a refusal carries the type that the sidecar gave', async () => {
  await using world = await setup(
    http('409 Conflict', { error: { type: 'already-granted', message: 'a.1 attempt 1' } }),
  )
  await expect(world.client.grant(asked)).rejects.toMatchObject({
    name: 'GrantError',
    type: 'already-granted',
  })
})

test('a sidecar that is away is told apart from one that refuses', async () => {
  const client = openSidecarClient('/nonexistent/s.sock', 'credential')
  const refused = await client.grant(asked).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(GrantError)
  expect(refused).toMatchObject({ type: 'sidecar-unreachable' })
})
