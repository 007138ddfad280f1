import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { KEPT_BODY_BYTES, REQUEST_BODY_BYTES } from '#lib/broker'
import { beforeEach, afterEach, describe, expect, test } from 'vitest'
import { serve } from '../support/tiny-upstream.ts'
import { CANARY, openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeEach(async () => {
  world = await openSidecarWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

/** A service that the secret `web` is for, in place of the stand-in. */
async function serveWeb(listener: Parameters<typeof serve>[0]): Promise<string> {
  const url = await serve(listener)
  Object.assign(world.cluster.secrets['web']!.egress!, { baseUrl: url, allow: ['GET /*', 'POST /*'] })
  return url
}

/** Replaces a key in Vault and at the provider, which takes the old one no more. */
async function rotate(secret: string, provider: 'anthropic' | 'openai'): Promise<void> {
  const next = 'sk-canary-the-next-key-0123456789'
  const keys = { anthropic: [CANARY.anthropic], openai: [CANARY.openai], [provider]: [next] }
  await writeFile(world.models.keysFile, JSON.stringify(keys))
  await world.client.kvWrite(world.rootToken, world.names.secret(secret), { value: next })
}

describe('G10: a key that is rotated', () => {
  test.each([
    { what: 'fetch', secret: 'web', provider: 'openai', ask: ['GET', '/v1/fetch'] },
    {
      what: 'an answer',
      secret: 'anthropic-api-key',
      provider: 'anthropic',
      ask: ['POST', '/v1/model/generate'],
    },
    {
      what: 'a stream',
      secret: 'anthropic-api-key',
      provider: 'anthropic',
      ask: ['POST', '/v1/model/stream'],
    },
  ] as const)('$what does not notice', async ({ secret, provider, ask: [method, path] }) => {
    const { context } = await world.granted('writer')
    const url = `${world.cluster.secrets['web']!.egress!.baseUrl}/v1/models`
    const body = method === 'POST' ? { prompt: 'hi' } : undefined
    const ask = () => context.ask(method, path, body, { 'x-tb-url': url })
    expect((await ask()).status).toBe(200)
    await rotate(secret, provider)
    const answer = await ask()
    expect(answer.status, answer.text).toBe(200)
    expect(answer.text).not.toContain('"error"')
  })

  test('and refused whatever it is gives the agent the service’s own 401, and Vault no storm of reads', async () => {
    let calls = 0
    const url = await serveWeb((_, response) => response.writeHead(401).end(String(++calls)))
    const { context } = await world.granted('writer')
    const before = world.reads()
    for (let asked = 1; asked <= 10; asked++)
      expect(await context.ask('GET', '/v1/fetch', undefined, { 'x-tb-url': `${url}/a` })).toMatchObject({
        status: 401,
        text: String(asked),
      })
    expect(world.reads() - before).toBeLessThanOrEqual(3)
  })
})

test('of two secrets for one host each goes where its own rules say', async () => {
  const url = await serve((request, response) =>
    response.end(JSON.stringify([request.url, request.headers['x-plain'], request.headers['x-web']])),
  )
  const { plain, web } = world.cluster.secrets
  plain!.egress = { baseUrl: url, header: 'x-plain: {value}', allow: ['GET /plain'] }
  web!.egress = { baseUrl: url, header: 'x-web: {value}', allow: ['GET /web'] }
  const { context } = await world.granted('writer')
  const ask = (path: string) => context.ask('GET', '/v1/fetch', undefined, { 'x-tb-url': `${url}${path}` })
  expect((await ask('/plain')).text).toMatch(/^\["\/plain",".+",null\]$/)
  expect((await ask('/web')).text).toMatch(/^\["\/web",null,".+"\]$/)
  expect(await ask('/neither')).toMatchObject({ status: 403 })
})

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('G10: a request in absolute form is no request for its host', async () => {
  let hits = 0
  const url = await serveWeb((_, response) => response.end(String(++hits)))
  const { context } = await world.granted('writer')
  const socket = context.sockets[0]!
  socket.write(`GET ${url}/v1/fetch HTTP/1.1\r\nhost: x\r\nx-tb-url: ${url}/a\r\n\r\n`)
  expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toContain('404')
  expect(hits).toBe(0)
})

/** One connection, kept for the next request as a context does. */
function keeping(socket: Socket): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = () => socket
  return agent
}

/** A POST over a context's connection, its body in pieces. */
async function post(agent: Agent, url: string, pieces: Iterable<Buffer>, length?: number) {
  const headers = { 'x-tb-url': url, ...(length === undefined ? {} : { 'content-length': length }) }
  const asked = httpRequest({ method: 'POST', path: '/v1/fetch', headers, agent })
  asked.on('error', () => {})
  const answered = once(asked, 'response')
  for (const piece of pieces) if (!asked.write(piece)) await Promise.race([once(asked, 'drain'), answered])
  asked.end()
  const [response] = await answered
  return { status: response.statusCode as number, text: String(await buffer(response)) }
}

describe('a request body', () => {
  const MIB = randomBytes(2 ** 20)

  test.each([100, KEPT_BODY_BYTES, KEPT_BODY_BYTES + 1, MIB.length])(
    'of %i bytes arrives as it was, its length known',
    async (length) => {
      const url = await serveWeb(async (request, response) =>
        response.end(`${request.headers['content-length']} ${hashOf(await buffer(request))}`),
      )
      const { context } = await world.granted('writer')
      const body = MIB.subarray(0, length)
      const answer = await post(keeping(context.sockets[0]!), `${url}/a`, [body], length)
      expect(answer).toEqual({ status: 200, text: `${length} ${hashOf(body)}` })
    },
  )

  test('begins to arrive before it has ended', { timeout: 20_000 }, async () => {
    const begun = Promise.withResolvers<void>()
    const url = await serveWeb(async (request, response) => {
      request.once('data', () => begun.resolve())
      response.end(hashOf(await buffer(request)))
    })
    const { context } = await world.granted('writer')
    const asked = httpRequest({
      method: 'POST',
      path: '/v1/fetch',
      headers: { 'x-tb-url': `${url}/a` },
      agent: keeping(context.sockets[0]!),
    })
    const answered = once(asked, 'response')
    asked.write(MIB)
    await begun.promise
    asked.end('end')
    const [response] = await answered
    expect(String(await buffer(response))).toBe(hashOf(Buffer.concat([MIB, Buffer.from('end')])))
  })

  test('without a known length is cut at its limit', async () => {
    const url = await serveWeb((request) => void request.resume())
    const { context } = await world.granted('writer')
    const pieces = Array.from({ length: REQUEST_BODY_BYTES / MIB.length + 1 }, () => MIB)
    const answer = await post(keeping(context.sockets[0]!), `${url}/a`, pieces)
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('request-too-large')
  })

  test('that its service does not read leaves the connection usable', { timeout: 20_000 }, async () => {
    const url = await serveWeb((_, response) => response.writeHead(413).end('no'))
    const { context } = await world.granted('writer')
    const agent = keeping(context.sockets[0]!)
    const answer = await post(agent, `${url}/a`, [MIB, MIB], 2 * MIB.length)
    expect([413, 502]).toContain(answer.status)
    const again = await post(agent, `${url}/a`, [Buffer.from('x')], 1)
    expect(again).toEqual({ status: 413, text: 'no' })
  })
})
