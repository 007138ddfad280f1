import { connect } from 'node:net'
import { join } from 'node:path'
import { redisAcl, type RedisAclOptions, type RedisUser } from '#lib/queue'
import type { SupervisedSpec } from '../supervision/index.ts'
import { privateDirectory } from './directories.ts'
import { findProgram } from './find-program.ts'
import type { Stage } from './stage.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** How a client reaches Redis: what the services' configuration takes. */
export interface RedisAccess {
  socket?: string
  url?: string
  user?: string
  passwordFile?: string
}

/** How each user of a Redis reaches it. */
export type RedisAccounts = (user: RedisUser) => RedisAccess

/** A Redis of our own: unix socket only, a user for each service, append-only file in the data directory, never evicts. */
export function redisService(
  { directories, credentials, ownership }: Pick<Stage, 'directories' | 'credentials' | 'ownership'>,
  users: Omit<RedisAclOptions, 'password'>,
): { spec: SupervisedSpec; accounts: RedisAccounts } {
  const folder = join(directories.runtime, 'redis')
  ownership.meet(folder, 'redis', 'redis')
  const socket = join(folder, 'redis.sock')
  const password = (user: RedisUser) => credentials.read(`redis-${user}`)
  const aclFile = credentials.write('redis-acl', redisAcl({ ...users, password }))
  const directory = ownership.lend('redis', privateDirectory(directories.data, 'redis'))
  const spec: SupervisedSpec = {
    name: 'redis',
    stopPhase: STOP_PHASE.redis,
    launch: () => ({
      command: findProgram('redis-server', 'valkey-server'),
      args: redisArguments({ socket, aclFile: ownership.give('redis', aclFile), directory }),
      env: {},
      user: ownership.userOf('redis'),
    }),
    probe: (signal) => pingRedis({ socket, password: password('probe'), signal }),
  }
  const accounts = (user: RedisUser) => ({ socket, user, passwordFile: credentials.file(`redis-${user}`) })
  return { spec, accounts }
}

function redisArguments(paths: { socket: string; aclFile: string; directory: string }): string[] {
  return Object.entries({
    port: '0',
    unixsocket: paths.socket,
    unixsocketperm: '770',
    aclfile: paths.aclFile,
    dir: paths.directory,
    appendonly: 'yes',
    appendfsync: 'everysec',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  }).flatMap(([name, value]) => [`--${name}`, value])
}

/** Resolves when Redis answers a PING; rejects while it is not there or still loading its file. */
function pingRedis(options: { socket: string; password: string; signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(options.socket)
    let answer = ''
    const finish = (end: () => void) => {
      socket.destroy()
      end()
    }
    socket.setTimeout(1000, () => finish(() => reject(new Error('Redis did not answer'))))
    socket.once('error', reject)
    options.signal.addEventListener('abort', () => finish(() => reject(new Error('stopped'))), { once: true })
    socket.on('data', (chunk) => {
      answer += chunk.toString()
      if (answer.includes('+PONG')) finish(resolve)
      else if (answer.includes('-')) finish(() => reject(new Error(answer.trim())))
    })
    socket.write(`AUTH probe ${options.password}\r\nPING\r\n`)
  })
}
