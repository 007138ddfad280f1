import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findProgram } from '../../../services/dev/up/find-program.ts'
import { startCluster } from '../../support/cluster.ts'
import { temporaryDirectory } from '../../support/directory.ts'
import { untilReady } from '../../support/queue-redis.ts'

const PASSWORD = 'canary%outside'
const directory = temporaryDirectory()
let server: ChildProcess
let port: number
let client: Redis

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port: free } = listener.address() as AddressInfo
  listener.close()
  await once(listener, 'close')
  return free
}

/** True once it takes connections; false when its port was taken meanwhile. */
async function startServer(): Promise<boolean> {
  port = await freePort()
  const options = { port, bind: '127.0.0.1', requirepass: PASSWORD, dir: directory.path, save: '' }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  server = spawn(findProgram('redis-server', 'valkey-server'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return untilReady(server).then(
    () => true,
    (error: Error) => {
      if (error.message.includes('in use')) return false
      throw error
    },
  )
}

beforeAll(async () => {
  while (!(await startServer()));
  client = new Redis({ port, password: PASSWORD, retryStrategy: () => 25 }).on('error', () => {})
  await client.set('theirs', 'untouched')
})

afterAll(async () => {
  client.disconnect()
  server.kill()
  await once(server, 'exit')
  directory[Symbol.dispose]()
})

/** Environment and command line; empty for a process that has ended meanwhile. */
function environmentOf(pid: number): string {
  try {
    return ['environ', 'cmdline'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join('')
  } catch {
    return ''
  }
}

const withUrl = (url: string) => startCluster({ env: { REDIS_URL: url } })

describe('a Redis that someone else runs (REDIS_URL)', () => {
  test('is used, shown without its password, and left running as it was', async () => {
    const before = await client.config('GET', '*')
    await using cluster = await withUrl(`redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`)
    expect(cluster.ready.redis.url).toBe(`redis://127.0.0.1:${port}`)
    expect(JSON.stringify(cluster.ready) + cluster.said()).not.toContain('canary')
    const run = await cluster.run('request-handler', { message: 'Hello' })
    expect(run).toMatchObject({ outcome: 'completed' })
    for (const pid of cluster.pids()) expect(environmentOf(pid)).not.toContain('canary')
    cluster.child.kill('SIGTERM')
    const [code] = (await once(cluster.child, 'exit')) as [number]
    expect(code).toBe(0)
    expect(server.exitCode).toBeNull()
    expect(await client.get('theirs')).toBe('untouched')
    expect(await client.config('GET', '*')).toEqual(before)
  })

  test.each([
    ['does not answer', 'redis://:canary@127.0.0.1:1', /REDIS_URL: redis:\/\/127\.0\.0\.1:1 cannot be used/],
    ['refuses the password', '', /REDIS_URL: .* Redis refuses user "default"/],
    ['has an address that is none', 'canary', /REDIS_URL: must be a redis:\/\/ or rediss:\/\/ address/],
  ])('that %s ends the start at once, in one line', async (_what, url, message) => {
    const error: Error = await withUrl(url || `redis://:canary@127.0.0.1:${port}`).then(
      () => expect.unreachable('it started'),
      (refused: Error) => refused,
    )
    expect(error.message).toMatch(message)
    expect(error.message).not.toContain('canary')
    expect(error.message).not.toContain('    at ')
  })
})
