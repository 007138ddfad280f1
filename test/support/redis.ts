import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { RedisUser } from '#lib/queue'
import { hashCredential } from '#lib/runtime'
import { Credentials } from '../../services/dev/up/credentials.ts'
import { makeDirectories } from '../../services/dev/up/directories.ts'
import { sharedOwnership } from '../../services/dev/up/ownership.ts'
import { redisService } from '../../services/dev/up/redis.ts'
import { Supervisor } from '../../services/dev/supervision/index.ts'
import { temporaryDirectory } from './directory.ts'

/** A real Redis for one test file, as `threadbound up` starts it, with a user `admin` who may do everything. */
export interface TestRedis extends AsyncDisposable {
  socket: string
  /** A connection of one of its users; an error of it does not end the process. BullMQ's blocking reads need null. */
  client(user?: RedisUser | 'admin', maxRetriesPerRequest?: number | null): Redis
  /** The process id, for a test that kills it; the supervisor starts it again. */
  pid(): number
}

/** Types of the cluster `demo`, environment `dev`. */
const TYPES = [
  { name: 'open', acceptUnsigned: true },
  { name: 'shut', acceptUnsigned: false },
]

/** Starts a Redis on a unix socket in a temporary directory, with the queues of two agent types: `open` and `shut`. */
export async function startRedis(): Promise<TestRedis> {
  const directory = temporaryDirectory()
  const directories = makeDirectories(directory.path)
  const supervisor = Supervisor.open({
    logDir: `${directories.data}/logs`,
    runtimeDir: directories.runtime,
    say: () => {},
  })
  const credentials = new Credentials(directories.data)
  const scope = { cluster: 'demo', environment: 'dev' }
  const { spec, accounts } = redisService(
    { directories, credentials, ownership: sharedOwnership },
    { scope, agentTypes: TYPES },
  )
  const admin = `user admin on #${hashCredential(credentials.read('redis-admin'))} ~* &* +@all\n`
  appendFileSync(join(directories.data, 'credentials/redis-acl'), admin)
  await supervisor.start(spec)
  const socket = accounts('probe').socket!
  return {
    socket,
    client(user = 'admin', maxRetriesPerRequest = 20) {
      const password = readFileSync(credentials.file(`redis-${user}`), 'utf8')
      return new Redis({ path: socket, username: user, password, maxRetriesPerRequest }).on('error', () => {})
    },
    pid: () => supervisor.services()[0]!.pid!,
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]()
      directory[Symbol.dispose]()
    },
  }
}
