import { AuditLog } from '#lib/audit'
import { cacheOf, loadCluster } from '#lib/cluster'
import { openAlerts, openRedis, readPublicKey, readRevocations, serviceKeys } from '#lib/queue'
import { announceReady, createLog, loadConfig, onDispose, quietExperiments, untilSignal } from '#lib/runtime'
import { SecretReader } from '#lib/secrets'
import { openTelemetry } from '#lib/telemetry'
import { VaultClient, vaultNames, vaultOptions } from '#lib/vault'
import { anchorAudit, tellUnwritable } from './anchor.ts'
import { auditKeyOf } from './audit-key.ts'
import { Config } from './config.ts'
import { identityLost, openIdentity } from './identity.ts'
import { openOperatorSocket } from './operator-socket.ts'
import { listenForPromotions } from './promotion-listener.ts'
import { SharedRevocations } from './shared-revocations.ts'
import { Sidecar } from './sidecar.ts'

quietExperiments()
const config = loadConfig(Config, process.env)
const log = createLog('sidecar')
const cluster = await loadCluster(config.clusterFile)
const { name, environment } = cluster
const scope = { cluster: name, environment }
await using _telemetry = await openTelemetry({ service: 'sidecar', environment, ...config.telemetry, log })
const redis = await openRedis(config.redis, 'reader', { log })
await using _redis = onDispose(() => redis.disconnect())
await using vault = await VaultClient.open(vaultOptions(config.vault))
const names = vaultNames(scope)
await using identity = await openIdentity(config.vault, { vault, names, log })
const keepTimes = (secret: string) => cacheOf(cluster.secrets[secret] ?? {})
await using reader = await SecretReader.open({ identity, vault, names, keepTimes, log })
const channel = await openRedis(config.redis, 'reader', { log })
await using _promotions = await listenForPromotions({ channel, scope, reader, log })
const keys = serviceKeys(scope, 'sidecar')
const raise = openAlerts(redis, keys, log)
await using audit = await AuditLog.open({ file: config.auditFile, log, failing: tellUnwritable(raise) })
await using _anchor = await anchorAudit({ audit, redis, keys, identity, raise, log })
const told = await readRevocations(redis, scope)
await using sidecar = await Sidecar.open({
  cluster,
  socketDir: config.socketDir,
  credentialsDir: config.credentialsDir,
  publicKey: readPublicKey(config.publicKeyFile),
  redis,
  vault,
  names,
  identity,
  reader,
  audit,
  auditKey: auditKeyOf(config.auditKeyFile),
  raise,
  revokedTraces: told.notices.flatMap(({ target }) => ('trace' in target ? target.trace : [])),
  log,
})
const listening = { redis, channel, scope, after: told.last, log }
await using revocations = await SharedRevocations.open({ ...listening, revocations: sidecar.revocations })
await using _operator = await openOperatorSocket(config.operator, {
  cluster,
  reader,
  audit,
  revocations,
  log,
})
const signal = untilSignal(identityLost(identity))
announceReady()
log.info({ agentTypes: Object.keys(cluster.agents) }, 'sidecar ready')
log.info({ signal: await signal }, 'sidecar stopping')
