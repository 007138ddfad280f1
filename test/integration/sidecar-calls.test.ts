import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { AttemptBudget, REQUEST_BODY_BYTES, RESPONSE_BODY_BYTES, Upstream } from '#lib/broker'
import { MASK } from '#lib/secrets'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { serve } from '../support/tiny-upstream.ts'

const KEY = 'sk-ant-canary-0123456789'
const upstream = Upstream.open()
afterAll(() => upstream[Symbol.asyncDispose]())

const limits = () => ({
  budget: new AttemptBudget(),
  signal: new AbortController().signal,
  timeoutMs: 60_000,
})
const call = (url: string, path = '/echo', extra: object = {}) =>
  upstream.send(
    {
      secret: {
        egress: { baseUrl: url, header: 'x-key: {value}', allow: ['GET /echo', 'POST /echo'] },
        reveal: () => KEY,
      },
      method: 'GET',
      address: `${url}${path}`,
      headers: [['authorization', 'mine']],
      ...extra,
    },
    limits(),
  )

const certificate = (name: string) =>
  readFileSync(new URL(`../support/certificates/${name}`, import.meta.url))

const callWith = (allow: string[], address: string) =>
  upstream.send(
    {
      secret: {
        egress: { baseUrl: new URL(address).origin, header: 'x-key: {value}', allow },
        reveal: () => KEY,
      },
      method: 'GET',
      address,
      headers: [],
    },
    limits(),
  )

describe('a call through the broker', () => {
  test('carries the key in its header alone, and hides it from the answer, head and body', async () => {
    const url = await serve((request, response) => {
      response.setHeader('x-echo', String(request.headers['x-key']))
      response.write(String(request.headers['x-key']).slice(0, 9))
      setTimeout(
        () => response.end(`${String(request.headers['x-key']).slice(9)} ${JSON.stringify(request.headers)}`),
        20,
      )
    })
    const answer = await call(url)
    const body = await text(answer.body)
    expect(answer.headers['x-echo']).toBe(MASK)
    expect(body).toContain(MASK)
    expect(body).not.toContain('canary')
    expect(body).not.toContain('mine')
  })

  test('G10: asks for the very bytes that its rules matched, in origin form', async () => {
    const url = await serve((request, response) => response.end(request.url))
    const path = "/echo/%41%20~:@!$&'()*+,=.-_?q=%2F%3b;&q=a"
    const rules = ['GET /echo/*?q']
    await expect(callWith(rules, `${url}${path}`)).rejects.toMatchObject({ type: 'egress-refused' })
    const legal = path.replace(';', '')
    expect(await text((await callWith(rules, `${url}${legal}`)).body)).toBe(legal)
  })

  test('follows no redirect', async () => {
    let hits = 0
    const url = await serve((_, response) => {
      hits++
      response.writeHead(302, { location: '/echo' }).end()
    })
    expect((await call(url)).status).toBe(302)
    expect(hits).toBe(1)
  })

  test('refuses an encoded answer and an endless one', async () => {
    const gzip = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    )
    await expect(call(gzip)).rejects.toMatchObject({ type: 'egress-refused' })
    const endless = await serve((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more).on('error', () => {})
      more()
    })
    const answer = await call(endless)
    let bytes = 0
    await expect(
      (async () => {
        for await (const chunk of answer.body) bytes += (chunk as Buffer).length
      })(),
    ).rejects.toMatchObject({ type: 'response-too-large' })
    expect(bytes).toBeLessThanOrEqual(RESPONSE_BODY_BYTES)
  })

  test('sends nothing of a body that is too long', async () => {
    let hits = 0
    const url = await serve((_, response) => response.end(String(++hits)))
    const body = Buffer.alloc(REQUEST_BODY_BYTES + 1)
    await expect(call(url, '/echo', { method: 'POST', body })).rejects.toMatchObject({
      type: 'request-too-large',
    })
    expect(hits).toBe(0)
  })

  test('G10: refuses a body in a transfer coding that cannot be searched', async () => {
    const url = await serve((_, response) =>
      response.socket!.end('HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
    )
    await expect(call(url)).rejects.toMatchObject({ type: 'egress-refused' })
  })

  test('G10: asks for whole answers, since in a part of one the value would not be found', async () => {
    const url = await serve((request, response) => {
      const echo = Buffer.from(String(request.headers['x-key']))
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
      response.writeHead(from ? 206 : 200).end(from ? echo.subarray(Number(from), Number(to) + 1) : echo)
    })
    let pieces = ''
    for (let at = 0; at < KEY.length; at += 8) {
      const answer = await call(url, '/echo', { headers: [['range', `bytes=${at}-${at + 7}`]] })
      pieces += await text(answer.body)
    }
    expect(pieces).not.toContain(KEY)
  })

  test('G10: passes no trailer on, in which the value could come back', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { trailer: 'x-echo' }).write('body')
      response.addTrailers({ 'x-echo': String(request.headers['x-key']) })
      response.end()
    })
    const answer = await call(url)
    expect(await text(answer.body)).toBe('body')
    expect(JSON.stringify(answer)).not.toContain('canary')
  })

  test('G10: dials no address inside that is not listed, whatever its name resolves to', async () => {
    let hits = 0
    const { port } = new URL(await serve((_, response) => response.end(String(++hits))))
    await using inside = Upstream.open({
      resolve: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    const url = `http://api.example.com:${port}`
    const ask = (networks: string[]) => {
      const egress = { baseUrl: url, header: 'x-key: {value}', allow: ['GET /echo'], networks }
      const secret = { egress, reveal: () => KEY }
      return inside.send({ secret, method: 'GET', address: `${url}/echo`, headers: [] }, limits())
    }
    expect((await ask(['127.0.0.0/8'])).status).toBe(200)
    for (const networks of [[], ['10.0.0.0/8']])
      await expect(ask(networks)).rejects.toMatchObject({ type: 'egress-refused' })
    expect(hits).toBe(1)
  })

  test('G10: gives its key to no host whose certificate nobody vouches for, whatever the environment says', async () => {
    let hits = 0
    const server = createServer(
      { cert: certificate('server.pem'), key: certificate('server.key') },
      (_, response) => response.end(String(++hits)),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void [server.closeAllConnections(), server.close()])
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => void vi.unstubAllEnvs())
    const { port } = server.address() as AddressInfo
    await expect(call(`https://127.0.0.1:${port}`)).rejects.toMatchObject({ type: 'upstream-failed' })
    expect(hits).toBe(0)
  })

  test('a host that is not there gives upstream-failed', async () => {
    const url = await serve(() => {}, { closed: true })
    await expect(call(url)).rejects.toMatchObject({ type: 'upstream-failed' })
  })
})
