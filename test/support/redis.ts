import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { Credentials } from '../../services/dev/up/credentials.ts'
import { makeDirectories } from '../../services/dev/up/directories.ts'
import { type RedisAccess, redisService } from '../../services/dev/up/redis.ts'
import { Supervisor } from '../../services/dev/supervision/index.ts'
import { temporaryDirectory } from './directory.ts'

/** A real Redis for one test file, as `threadbound up` starts it. */
export interface TestRedis extends AsyncDisposable {
  /** The user that may do everything. */
  services: RedisAccess
  /** The user that may only enqueue to the queues of `enqueueKeys`. */
  enqueue: RedisAccess
  /** ioredis options for either of them. */
  options(access?: RedisAccess): { path: string; username: string; password: string }
  client(access?: RedisAccess): Redis
  /** The process id, for a test that kills it; the supervisor starts it again. */
  pid(): number
}

/** Starts a Redis on a unix socket in a temporary directory. `enqueueKeys`: key patterns such as `{tb:c:e:type}:*`. */
export async function startRedis({ enqueueKeys = [] }: { enqueueKeys?: string[] } = {}): Promise<TestRedis> {
  const directory = temporaryDirectory()
  const directories = makeDirectories(directory.path)
  const supervisor = Supervisor.open({
    logDir: `${directories.data}/logs`,
    runtimeDir: directories.runtime,
    say: () => {},
  })
  const { spec, services, enqueue } = redisService(
    directories,
    new Credentials(directories.data),
    enqueueKeys,
  )
  await supervisor.start(spec)
  const options = (access: RedisAccess = services) => ({
    path: access.socket!,
    username: access.user!,
    password: readFileSync(access.passwordFile!, 'utf8'),
  })
  return {
    services,
    enqueue,
    options,
    client: (access) => new Redis(options(access)),
    pid: () => supervisor.services()[0]!.pid!,
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]()
      directory[Symbol.dispose]()
    },
  }
}
