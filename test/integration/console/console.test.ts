import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CANARY, KEY, setup, TRACES, WORKER_KEY } from './setup.ts'

let world: Awaited<ReturnType<typeof setup>>
beforeAll(async () => {
  world = await setup()
})
afterAll(() => world.resources.disposeAsync())

const bearer = { authorization: `Bearer ${KEY}` }
const ask = (path: string, init: RequestInit = {}) =>
  fetch(`${world.server.url}${path}`, { redirect: 'manual', ...init })
const read = (path: string, headers: Record<string, string> = bearer) => ask(path, { headers })
const login = (key: string, headers: Record<string, string> = {}) =>
  ask('/login', {
    method: 'POST',
    body: new URLSearchParams({ key }),
    headers: { origin: world.server.url, ...headers },
  })

const READS = [
  '/queues/api/queues?activeQueue=coder&page=1&jobsPerPage=10',
  '/queues/api/queues?activeQueue=coder&status=failed&page=1&jobsPerPage=10',
  '/queues/api/queues/coder/coder.completes',
  '/queues/api/queues/coder/coder.fails',
  '/queues/api/queues/coder/coder.fails/logs',
  '/queues/api/queues/coder/coder.fails/flow',
  '/queues/api/job-schedulers',
  '/queues/api/queues/coder/metrics',
  '/queues/api/queues/coder/rate-limit',
]
const WRITES: [string, string, unknown?][] = [
  ['PUT', '/queues/api/queues/pause'],
  ['PUT', '/queues/api/queues/resume'],
  ['POST', '/queues/api/queues/coder/add', { name: 'x', data: {}, options: {} }],
  ['PUT', '/queues/api/queues/coder/retry/failed'],
  ['PUT', '/queues/api/queues/coder/promote'],
  ['PUT', '/queues/api/queues/coder/clean/completed'],
  ['PUT', '/queues/api/queues/coder/pause'],
  ['PUT', '/queues/api/queues/coder/resume'],
  ['PUT', '/queues/api/queues/coder/concurrency', { concurrency: 1 }],
  ['PUT', '/queues/api/queues/coder/rate-limit', { max: 1, duration: 1 }],
  ['PUT', '/queues/api/queues/coder/rate-limit/release'],
  ['PUT', '/queues/api/queues/coder/empty'],
  ['PUT', '/queues/api/queues/coder/obliterate', { force: true }],
  ['PUT', '/queues/api/queues/coder/job-schedulers/nightly/remove'],
  ['PUT', '/queues/api/queues/coder/job-schedulers/nightly', { every: 1000 }],
  ['PATCH', '/queues/api/queues/coder/job-schedulers/nightly', { every: 1000 }],
  ['PUT', '/queues/api/queues/coder/job-schedulers/nightly/run'],
  ['POST', '/queues/api/queues/coder/job-schedulers/nightly/run'],
  ['PUT', '/queues/api/queues/coder/coder.fails/retry'],
  ['PUT', '/queues/api/queues/coder/coder.fails/retry/failed'],
  ['PUT', '/queues/api/queues/coder/coder.fails/clean'],
  ['PUT', '/queues/api/queues/coder/coder.fails/promote'],
  ['PATCH', '/queues/api/queues/coder/coder.fails/update-data', { x: 1 }],
  ['PUT', '/queues/api/queues/coder/coder.fails/delay', { delay: 1 }],
  ['PUT', '/queues/api/queues/coder/coder.fails/priority', { priority: 1 }],
  ['PUT', '/queues/api/queues/coder/coder.fails/remove-unprocessed-children'],
]

describe('login', () => {
  const PATHS = [
    '/',
    '/queues/',
    '/queues/queue/coder',
    '/queues/static/favicon.ico',
    '/logout',
    '/unknown',
    ...READS,
  ]

  test.each(PATHS)(
    '%s is refused without one, with a made-up session and with a worker’s key',
    async (path) => {
      const headers: Record<string, string>[] = [
        {},
        { cookie: 'tb_console=made-up' },
        { authorization: 'Bearer tbk_wrong' },
        { authorization: `Bearer ${WORKER_KEY}` },
        { authorization: `Basic ${KEY}` },
        { cookie: 'tb_console=made-up', accept: 'text/html' },
      ]
      for (const header of headers) {
        const answer = await read(path, header)
        expect([401, 303]).toContain(answer.status)
        if (answer.status === 303) expect(answer.headers.get('location')).toBe('/login')
        expect(await answer.text()).not.toContain('coder')
      }
    },
  )

  test('a right key opens a session, whose cookie is out of reach of scripts and other sites', async () => {
    const answer = await login(KEY)
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/queues/'])
    const cookie = answer.headers.get('set-cookie')!
    expect(cookie).toMatch(/Max-Age=43200;.*HttpOnly; SameSite=Strict/)
    expect(cookie).not.toContain(KEY)
    const session = { cookie: cookie.split(';')[0]! }
    expect((await read('/queues/', session)).status).toBe(200)
    const out = await ask('/logout', { method: 'POST', headers: { ...session, origin: world.server.url } })
    expect(out.status).toBe(303)
    expect((await read('/queues/', session)).status).toBe(401)
  })

  test('a wrong key, a worker’s key and none open nothing', async () => {
    for (const key of ['tbk_wrong', WORKER_KEY, '', KEY.slice(0, -1)]) {
      const answer = await login(key)
      expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null])
    }
  })

  test('a form of another site is refused, with the right key too', async () => {
    for (const origin of [
      'http://evil.example',
      'null',
      'http://127.0.0.1:1',
      `${world.server.url}.evil.example`,
    ])
      expect((await login(KEY, { origin })).status).toBe(403)
  })

  test('a page that rebound its name to this machine is refused', async () => {
    const { get } = await import('node:http')
    const status = await new Promise((resolve) => {
      get(`${world.server.url}/login`, { headers: { host: 'evil.example' } }, (answer) =>
        resolve(answer.statusCode),
      )
    })
    expect(status).toBe(421)
  })
})

describe('redaction', () => {
  test.each(READS)('%s shows nothing that a caller or an agent wrote', async (path) => {
    const answer = await read(path)
    expect(answer.status).toBe(200)
    expect(await answer.text()).not.toContain(CANARY)
  })

  test('what is shown is enough to find a job: id, state, times, sizes and its trace', async () => {
    const { job, status } = (await (await read('/queues/api/queues/coder/coder.completes')).json()) as any
    expect(status).toBe('completed')
    expect(job).toMatchObject({ id: 'coder.completes', name: 'coder', attempts: 1, isFailed: false })
    expect(job.finishedOn).toBeGreaterThan(0)
    expect(job.data).toMatchObject({
      input: expect.stringMatching(/^hidden: object with 2 keys, \d+ bytes$/),
    })
    expect(job.externalUrl).toEqual({ href: `${TRACES}/traces/${world.traceId}`, displayText: 'Trace' })
  })

  test('lists show the jobs of the queue and the schedulers', async () => {
    const { queues } = (await (await read(READS[0]!)).json()) as any
    expect(queues.map((queue: any) => queue.name)).toEqual(['coder', 'tester'])
    expect(queues.every((queue: any) => queue.readOnlyMode)).toBe(true)
    expect(queues[0].jobs.map((job: any) => job.id)).toEqual(
      expect.arrayContaining(['coder.completes', 'coder.fails']),
    )
    const { schedulers } = (await (await read('/queues/api/job-schedulers')).json()) as any
    expect(schedulers).toMatchObject([{ id: 'nightly', queueName: 'coder', every: 3_600_000 }])
  })

  test('an error says nothing of its cause', async () => {
    const answer = await read(`/queues/api/queues/${CANARY}/x`)
    expect([answer.status, await answer.text()]).toEqual([404, expect.not.stringContaining(CANARY)])
  })
})

/** Every key of the Redis with its content. */
async function everything(): Promise<Record<string, string>> {
  const keys = (await world.connection.keys('*')).toSorted()
  const dumps = await Promise.all(keys.map((key) => world.connection.dumpBuffer(key)))
  return Object.fromEntries(keys.map((key, at) => [key, dumps[at]!.toString('base64')]))
}

describe('writes', () => {
  test.each(WRITES)('%s %s is refused and changes nothing', async (method, path, body) => {
    const before = await everything()
    const headers = { ...bearer, origin: world.server.url, 'content-type': 'application/json' }
    const answer = await ask(path, { method, headers, body: JSON.stringify(body ?? {}) })
    expect([403, 404]).toContain(answer.status)
    expect(await everything()).toEqual(before)
  })

  test('none of them is refused only because it does not exist', async () => {
    const headers = { ...bearer, origin: world.server.url, 'content-type': 'application/json' }
    const statuses = await Promise.all(
      WRITES.map(async ([method, path]) => (await ask(path, { method, headers, body: '{}' })).status),
    )
    expect(statuses.filter((status) => status === 403).length).toBeGreaterThanOrEqual(20)
  })
})

test('Bull Board’s own page and scripts load behind the login, under a policy without inline scripts', async () => {
  const page = await read('/queues/')
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self';")
  const [, script] = /<script defer src="([^"]+)"/.exec(await page.text())!
  expect((await read(`/queues/${script}`)).headers.get('content-type')).toContain('javascript')
})

test('a key taken out of the file ends its sessions, and guessing is slowed', async () => {
  const cookie = (await login(KEY)).headers.get('set-cookie')!.split(';')[0]!
  await world.writeKeys()
  expect((await read('/queues/', { cookie })).status).toBe(401)
  expect((await read('/queues/')).status).toBe(401)
  const statuses: number[] = []
  for (let at = 0; at < 12; at++) statuses.push((await login('tbk_guess')).status)
  expect(statuses.slice(0, 3)).toEqual([401, 401, 401])
  expect(statuses.at(-1)).toBe(429)
})
