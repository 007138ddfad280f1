import type { Cluster } from '#lib/cluster'
import { publishPromotion, type QueueRef, type RaiseAlert } from '#lib/queue'
import { type ManagedSecret, Rotation, type RotationStore } from '#lib/rotation'
import type { Log } from '#lib/runtime'
import type { Redis } from 'ioredis'
import { type Jobs, openJobs } from './jobs.ts'
import { Tending } from './tending.ts'

/** All that a rotator works with. It disposes none of them. */
export interface RotatorOptions {
  cluster: Cluster
  secrets: readonly ManagedSecret[]
  store: RotationStore
  redis: Redis
  /** Of role `worker`. */
  blocking: Redis
  keys: QueueRef
  raise: RaiseAlert
  instance: string
  lookEveryMs: number
  log: Log
}

/** A rotator, running: it tends every secret, woken by its own timer, by jobs, and by operators. */
export interface Rotator extends AsyncDisposable {
  /** Looks at a secret now. */
  wake(secret: string): void
}

export async function openRotator(options: RotatorOptions): Promise<Rotator> {
  const { redis, keys, raise, lookEveryMs, log } = options
  await using stack = new AsyncDisposableStack()
  const secrets = new Map(
    options.secrets.map((secret) => [
      secret.name,
      { rotation: rotationOf(options, secret), account: secret.provider.account },
    ]),
  )
  const link: { jobs?: Jobs } = {}
  const wakeAt = async (secret: string, at: number) => link.jobs?.wakeAt(secret, at)
  const tending = stack.use(await Tending.open({ secrets, redis, keys, raise, log, wakeAt, lookEveryMs }))
  const wake = (secret?: string) => tending.wake(secret)
  const jobs = await openJobs({ keys, redis, blocking: options.blocking, wake, lookEveryMs, log })
  link.jobs = stack.use(jobs)
  const opened = stack.move()
  return { wake, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

function rotationOf(options: RotatorOptions, secret: ManagedSecret): Rotation {
  const { cluster, redis, store, raise, instance, log } = options
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const announce = (generation: number) => publishPromotion(redis, scope, { secret: secret.name, generation })
  return new Rotation({ secret, store, announce, raise, instance, log })
}
