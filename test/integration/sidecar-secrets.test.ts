import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUDIT_KEY, CANARY, openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('fetch, secrets and databases', () => {
  test('fetch reaches the declared host with the key added, and nothing else', async () => {
    const { context } = await world.granted('writer')
    const base = world.cluster.secrets['web']!.egress!.baseUrl
    const fetch = (url: string, method = 'GET') =>
      context.ask(method, '/v1/fetch', undefined, { 'x-tb-url': url })
    expect(await fetch(`${base}/v1/models`)).toMatchObject({ status: 200, json: { object: 'list' } })
    for (const url of [
      `${base}/v1/../v1/models`,
      `${base}/v1/models?all=1`,
      `${base}/admin`,
      'http://127.0.0.1:1/x',
    ])
      expect(await fetch(url)).toMatchObject({ status: 403, json: { error: { type: 'egress-refused' } } })
    expect((await fetch(`${base}/v1/models`, 'DELETE')).status).toBe(403)
    expect((await context.ask('GET', '/v1/fetch')).status).toBe(400)
  })

  test('a value is given where it is delivered as value, and nowhere else', async () => {
    const { context } = await world.granted('writer')
    const ask = (name: string) => context.ask('GET', `/v1/secrets/${name}`)
    expect((await ask('plain')).json).toEqual({ name: 'plain', value: CANARY.plain, generation: 1 })
    const mark = createHmac('sha256', AUDIT_KEY).update(CANARY.plain).digest('hex')
    expect(await world.auditLines()).toContainEqual(
      expect.objectContaining({ action: 'read', secret: 'plain', value: `hmac-sha256:${mark}` }),
    )
    for (const name of ['anthropic-api-key', 'openai-api-key', 'orders-db', 'orders-db-admin', 'no-such'])
      expect(await ask(name)).toMatchObject({ status: 403, json: { error: { type: 'not-allowed' } } })
  })

  test('a relay needs a lease, carries bytes, and the fourth fails at once while a small request still works', async () => {
    const { context } = await world.granted('coder')
    const early = await context.connect('orders-db:0')
    expect(early.status).toBe(409)
    early.socket.destroy()
    const { context: other } = await world.granted('coder')
    const lease = await other.ask('POST', '/v1/leases', { name: 'orders-db' })
    expect(lease.json).toMatchObject({ name: 'orders-db', credentials: { database: 'orders' } })
    const relays = [
      await other.connect('orders-db:0'),
      await other.connect('orders-db:0'),
      await other.connect('orders-db:0'),
    ]
    expect(relays.map(({ status }) => status)).toEqual([200, 200, 200])
    relays[2]!.socket.write('ping')
    expect(String(await new Promise((resolve) => relays[2]!.socket.once('data', resolve)))).toBe('ping')
    expect((await other.ask('POST', '/v1/leases', { name: 'orders-db' })).status).toBe(200)
    const fourth = await other.connect('orders-db:0')
    expect(fourth.status).toBe(429)
  })

  test('a refused CONNECT leaves its connection usable', async () => {
    const { context } = await world.granted('coder')
    const { socket, status } = await context.connect('orders-db:0')
    expect(status).toBe(409)
    socket.write('GET /v1/secrets/plain HTTP/1.1\r\nhost: x\r\n\r\n')
    const answer = String(await new Promise((resolve) => socket.once('data', resolve)))
    expect(answer).toMatch(/no-lease[^]*|HTTP\/1.1 403/)
  })

  test.each(['other-db:0', 'orders-db:5432', '127.0.0.1:5432'])('CONNECT %s is refused', async (target) => {
    const { context } = await world.granted('coder')
    await context.ask('POST', '/v1/leases', { name: 'orders-db' })
    expect([400, 403]).toContain((await context.connect(target)).status)
  })
})
