import { loadCluster } from '#lib/cluster'
import { openAlerts, openRedis, serviceKeys } from '#lib/queue'
import { RotationStore } from '#lib/rotation'
import { announceReady, createLog, loadConfig, onDispose, quietExperiments, untilSignal } from '#lib/runtime'
import { openTelemetry } from '#lib/telemetry'
import { VaultClient, vaultNames, vaultOptions } from '#lib/vault'
import { wantedAlerts } from './alerts.ts'
import { Config } from './config.ts'
import { openOwnToken, secretReader, tokenLost } from './identity.ts'
import { managedSecrets } from './managed.ts'
import { openOperatorSocket } from './operator-socket.ts'
import { openRotator } from './rotator.ts'

quietExperiments()
const config = loadConfig(Config, process.env)
const log = createLog('rotator')
const cluster = await loadCluster(config.clusterFile)
const { name, environment } = cluster
const scope = { cluster: name, environment }
await using _telemetry = await openTelemetry({ service: 'rotator', environment, ...config.telemetry, log })
const redis = await openRedis(config.redis, 'reader', { log })
await using _redis = onDispose(() => redis.disconnect())
const blocking = await openRedis(config.redis, 'worker', { log })
await using _blocking = onDispose(() => blocking.disconnect())
await using vault = await VaultClient.open(vaultOptions(config.vault))
const names = vaultNames(scope)
await using token = await openOwnToken(config.vault, { vault, names, log })
const store = new RotationStore({ vault, names, use: (call) => token.use(call) })
const secrets = managedSecrets(cluster, {
  read: secretReader({ vault, names, token }),
  vault,
  token: () => token.reveal(),
  commandUser: config.commandUser,
  skewMs: config.skewMs,
})
const keys = serviceKeys(scope, 'rotator')
const raise = wantedAlerts(cluster.alerts, openAlerts(redis, keys, log))
const { instance, lookEveryMs } = config
const running = { cluster, secrets, store, redis, blocking, keys, raise, instance, lookEveryMs, log }
await using rotator = await openRotator(running)
const wake = (secret: string) => rotator.wake(secret)
await using _operator = await openOperatorSocket(config.operator, { secrets, store, wake, log })
const signal = untilSignal(tokenLost(token))
announceReady()
log.info({ secrets: secrets.map((secret) => secret.name), instance }, 'rotator ready')
log.info({ signal: await signal }, 'rotator stopping')
