import { loadCluster } from '#lib/cluster'
import { ApiKeys } from '#lib/http'
import { openRedis } from '#lib/queue'
import { announceReady, createLog, loadConfig, onDispose, untilSignal } from '#lib/runtime'
import { Config } from './config.ts'
import { openQueues } from './queues.ts'
import { openServer } from './server.ts'

const config = loadConfig(Config, process.env)
const log = createLog('console')
const cluster = await loadCluster(config.clusterFile)
const connection = await openRedis(config.redis, 'reader', { log })
await using _connection = onDispose(() => connection.disconnect())
await using queues = openQueues({ cluster, connection, log })
await using server = await openServer({
  ...config,
  cluster,
  queues,
  keys: new ApiKeys(config.apiKeysFile),
  log,
})
const signal = untilSignal()
announceReady({ url: server.url })
log.info({ url: server.url }, 'console ready')
log.info({ signal: await signal }, 'console ending')
