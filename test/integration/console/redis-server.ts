import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onDispose } from '#lib/runtime'

/** A real Redis on a unix socket in a temporary folder, gone with its scope. */
export async function startRedis(): Promise<AsyncDisposable & { socket: string }> {
  await using resources = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'tb-console-'))
  resources.use(onDispose(() => rm(folder, { recursive: true })))
  const socket = join(folder, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] })
  resources.use(onDispose(() => end(server)))
  await untilReady(server)
  const kept = resources.move()
  return { socket, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

async function untilReady(server: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = ''
  server.stdout!.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (/ready to accept connections/i.test(said)) resolve()
  })
  server.once('error', reject)
  server.once('exit', () => reject(new Error(`redis-server ended: ${said}`)))
  await promise
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  server.kill('SIGKILL')
  await once(server, 'exit')
}
