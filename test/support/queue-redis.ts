import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
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
    server = spawn('redis-server', args, { stdio: 'ignore' })
    while (!existsSync(socket)) await delay(10)
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
