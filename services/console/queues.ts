import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { Cluster } from '#lib/cluster'
import { queueOf } from '#lib/queue'
import { type Log, messageOf } from '#lib/runtime'

/** The queues of all agent types, for looking alone: opening them writes nothing, so a Redis user that may only read will do. */
export interface Queues extends AsyncDisposable {
  readonly all: Queue[]
}

/** Opens the queue of every agent type of the cluster on one connection, which stays open when they close. */
export function openQueues(options: { cluster: Cluster; connection: Redis; log: Log }): Queues {
  const { cluster, connection, log } = options
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const all = Object.keys(cluster.agents).map((agentType) => {
    const { name, prefix } = queueOf(scope, agentType)
    const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true })
    queue.on('error', (error) => log.debug({ queue: name, error: messageOf(error) }, 'queue error'))
    return queue
  })
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(all.map((queue) => queue.close()))
    },
  }
}
