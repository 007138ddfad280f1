import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RedisConfig } from '#lib/runtime'

/** A real Redis on a unix socket in a folder of its own, with a password. */
export interface TestRedis extends AsyncDisposable {
  config: RedisConfig
  dir: string
  /** kill -9. */
  kill(): Promise<void>
  /** Starts it again, on the same socket and data. */
  start(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
}

/** Starts it; resolves when it takes connections. `extra`: more arguments for redis-server. */
export async function startRedis(extra: string[] = []): Promise<TestRedis> {
  const dir = await mkdtemp(join(tmpdir(), 'tb-redis-'))
  const socket = join(dir, 'redis.sock')
  const passwordFile = join(dir, 'password')
  const password = 'queue-test-password'
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  const args = ['--port', '0', '--unixsocket', socket, '--requirepass', password, '--dir', dir]
  args.push('--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction', ...extra)
  let server: ChildProcess | undefined
  const start = async () => {
    server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await untilReady(server)
  }
  const kill = async () => {
    if (server?.exitCode !== null || server.signalCode !== null) return
    server.kill('SIGKILL')
    await once(server, 'exit')
    await rm(socket, { force: true })
  }
  await start()
  return {
    config: { socket, passwordFile },
    dir,
    kill,
    start,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The socket is there before anybody listens on it, so only Redis' own word counts. Rejects with its words when it ends. */
export async function untilReady(server: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = ''
  server.stdout!.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-10_000)
    if (/ready to accept connections/i.test(said)) resolve()
  })
  server.once('error', reject)
  server.once('exit', () => reject(new Error(`redis-server ended: ${said}`)))
  await promise
}
