import { connect } from 'node:net'
import { join } from 'node:path'
import type { SupervisedSpec } from '../supervision/index.ts'
import type { Credentials } from './credentials.ts'
import { type Directories, privateDirectory } from './directories.ts'
import { findProgram } from './find-program.ts'
import { redisAcl } from './redis-acl.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** How a client reaches Redis: what the services' configuration takes. */
export interface RedisAccess {
  socket?: string
  url?: string
  user?: string
  passwordFile?: string
}

/** A Redis of our own: unix socket only, two users, append-only file in the data directory, never evicts. */
export function redisService(
  { data, runtime }: Directories,
  credentials: Credentials,
  enqueueKeys: string[],
): { spec: SupervisedSpec; services: RedisAccess; enqueue: RedisAccess } {
  const socket = join(privateDirectory(runtime, 'redis'), 'redis.sock')
  const servicesPassword = credentials.read('redis-services')
  const acl = redisAcl({ servicesPassword, enqueuePassword: credentials.read('redis-enqueue'), enqueueKeys })
  const aclFile = credentials.write('redis-acl', acl)
  const directory = privateDirectory(data, 'redis')
  const spec: SupervisedSpec = {
    name: 'redis',
    stopPhase: STOP_PHASE.redis,
    launch: () => ({
      command: findProgram('redis-server', 'valkey-server'),
      args: redisArguments({ socket, aclFile, directory }),
      env: {},
    }),
    probe: (signal) => pingRedis({ socket, password: servicesPassword, signal }),
  }
  const access = (user: string) => ({ socket, user, passwordFile: credentials.file(`redis-${user}`) })
  return { spec, services: access('services'), enqueue: access('enqueue') }
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
    socket.write(`AUTH services ${options.password}\r\nPING\r\n`)
  })
}
