import { loadCluster } from '#lib/cluster'
import { listen, readApiKeys } from '#lib/http'
import { openRedis, publicKeyOf, readSigningKey, UNSIGNED } from '#lib/queue'
import { announceReady, createLog, loadConfig, onDispose, systemClock, untilSignal } from '#lib/runtime'
import { openTelemetry } from '#lib/telemetry'
import { openAgentTypes } from './agent-types.ts'
import { Config } from './config.ts'
import { EndWatch } from './end-watch.ts'
import { buildServer } from './server.ts'

const log = createLog('producer')
const config = loadConfig(Config, process.env)
const cluster = await loadCluster(config.clusterFile)
const keys = readApiKeys(config.apiKeysFile, [UNSIGNED])
const signingKey = readSigningKey(config.signingKeyFile)
const { name, environment } = cluster
await using _telemetry = await openTelemetry({ service: 'producer', environment, ...config.telemetry, log })
const redis = await openRedis(config.redis, 'producer', { log })
await using _redis = onDispose(() => redis.disconnect())
await using types = await openAgentTypes({ cluster, redis, log })
await using watch = new EndWatch({ redis, log, connect: () => openRedis(config.redis, 'worker', { log }) })
const scope = { cluster: name, environment }
const publicKey = publicKeyOf(signingKey)
const producer = { scope, types, redis, signingKey, publicKey, clock: systemClock, log }
await using server = await listen(buildServer({ producer, keys, watch }), config)
const signal = untilSignal()
announceReady({ url: server.url })
log.info({ url: server.url, agentTypes: types.all.length }, 'producer ready')
log.info({ signal: await signal }, 'producer draining')
