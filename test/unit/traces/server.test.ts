import { expect, test } from 'vitest'
import { silentLog } from '#lib/runtime'
import { TraceStore } from '#lib/traces'
import { buildApp } from '../../../services/dev/traces/server.ts'
import { exportOf, idOf, TRACE } from '../../support/otlp.ts'

const TOKEN = 'token-of-the-trace-store'
const bearer = { authorization: `Bearer ${TOKEN}` }
const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://localhost:80' }

async function setup() {
  const store = await TraceStore.open({ file: ':memory:' })
  const app = buildApp({ token: TOKEN, store, log: silentLog })
  type Ask = { method?: 'GET' | 'POST'; headers?: Record<string, string>; payload?: string | Buffer | object }
  const ask = (url: string, { headers, ...options }: Ask = {}) =>
    app.inject({ url, ...options, headers: { host: 'localhost:80', ...headers } })
  const post = (payload: string | Buffer | object, headers = {}) =>
    ask('/v1/traces', { method: 'POST', payload, headers: { ...json, ...bearer, ...headers } })
  const login = (token: string, next = '', headers = {}) =>
    ask('/login', {
      method: 'POST',
      payload: new URLSearchParams({ token, next }).toString(),
      headers: { ...form, ...headers },
    })
  return { store, ask, post, login }
}

test('spans go in and come out as JSON, in the order of the tree', async () => {
  const { ask, post } = await setup()
  const answer = await post(
    exportOf({ spanId: idOf(2), parentSpanId: idOf(1), name: 'below' }, { spanId: idOf(1) }),
  )
  expect([answer.statusCode, answer.json()]).toEqual([200, { partialSuccess: {} }])
  const { spans, tree } = (await ask(`/api/traces/${TRACE}`, { headers: bearer })).json()
  expect(spans).toHaveLength(2)
  expect(tree.rows.map((row: any) => [row.depth, row.span.name])).toEqual([
    [0, 'step'],
    [1, 'below'],
  ])
  expect((await ask('/api/traces', { headers: bearer })).json().traces).toMatchObject([
    { traceId: TRACE, spans: 2 },
  ])
})

test.each(['/api/traces', `/api/traces/${TRACE}`])('%s without the token is refused', async (url) => {
  const { ask } = await setup()
  for (const authorization of ['', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN} x`])
    expect((await ask(url, { headers: { authorization } })).statusCode).toBe(401)
})

test('spans without the token are refused and not stored', async () => {
  const { post, store } = await setup()
  expect((await post(exportOf({}), { authorization: '' })).statusCode).toBe(401)
  expect(store.spans(TRACE)).toEqual([])
})

test('malformed input is a 400 that names the field', async () => {
  const { post } = await setup()
  for (const [body, says] of [
    ['{', 'JSON'],
    ['null', 'body'],
    ['{"resourceSpans": 1}', 'resourceSpans'],
    [JSON.stringify(exportOf({ traceId: 'x' })), 'spans.0.traceId'],
    ['', 'Body cannot be empty'],
    ['{"__proto__": {"x": 1}}', 'not valid JSON'],
  ] as const) {
    const answer = await post(body)
    expect(answer.statusCode).toBe(400)
    expect(answer.json().message).toContain(says)
  }
})

test('protobuf and compression are a 415 that says what to set, too much is a 413', async () => {
  const { post } = await setup()
  const protobuf = await post(Buffer.from([1, 2]), { 'content-type': 'application/x-protobuf' })
  expect([protobuf.statusCode, protobuf.json().message]).toEqual([415, expect.stringContaining('http/json')])
  const gzip = await post('{}', { 'content-encoding': 'gzip' })
  expect([gzip.statusCode, gzip.json().message]).toEqual([415, expect.stringContaining('compression')])
  expect((await post(`"${'x'.repeat(9 * 2 ** 20)}"`)).statusCode).toBe(413)
})

test.each(['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io:80', 'localhost@evil.example'])(
  'the Host %j is refused, also with the token',
  async (host) => {
    const { ask } = await setup()
    for (const url of ['/api/traces', '/login', '/traces'])
      expect((await ask(url, { headers: { ...bearer, host } })).statusCode).toBe(421)
  },
)

test('pages need a login, which the token opens and which leads to the trace', async () => {
  const { ask, login, post } = await setup()
  await post(exportOf({}))
  const before = await ask(`/traces/${TRACE}`)
  expect([before.statusCode, before.headers.location]).toEqual([303, `/login?next=%2Ftraces%2F${TRACE}`])
  const opened = await login(TOKEN, `/traces/${TRACE}`)
  expect(opened.headers.location).toBe(`/traces/${TRACE}`)
  const cookie = String(opened.headers['set-cookie'])
  expect(cookie).toMatch(/HttpOnly.*SameSite=Strict/)
  expect(cookie).not.toContain(TOKEN)
  const after = await ask(`/traces/${TRACE}`, { headers: { cookie: cookie.split(';')[0]! } })
  expect(after.statusCode).toBe(200)
  expect(after.body).toContain('step')
})

test('a wrong token, a foreign origin and a made-up session open nothing', async () => {
  const { ask, login } = await setup()
  expect((await login('wrong')).statusCode).toBe(401)
  for (const origin of ['http://evil.example', 'null', 'http://localhost:81', 'https://localhost:80']) {
    const answer = await login(TOKEN, '', { origin })
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([403, undefined])
  }
  expect((await ask('/traces', { headers: { cookie: 'tb_traces=made-up' } })).statusCode).toBe(303)
})

test.each([
  'https://evil.example',
  '//evil.example',
  '/traces/../login',
  'javascript:alert(1)',
  '/\\evil.example',
])('a login never leads to %s', async (next) => {
  const { login } = await setup()
  expect((await login(TOKEN, next)).headers.location).toBe('/traces')
})

test('markup in anything a span says is shown, not interpreted', async () => {
  const { ask, post } = await setup()
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202e\u001b[2J`
  const value = { stringValue: evil }
  await post(
    exportOf({
      name: evil,
      attributes: [{ key: evil, value }],
      status: { code: 2, message: evil },
      events: [{ name: evil, timeUnixNano: 1, attributes: [{ key: evil, value }] }],
    }),
  )
  for (const url of ['/traces', `/traces/${TRACE}`]) {
    const { body, headers } = await ask(url, { headers: bearer })
    expect(body).toContain('&#60;script&#62;')
    expect(body).not.toMatch(/<script|<img|[\p{Cf}]/u)
    expect(body).not.toContain('\u001b')
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/)
  }
})
