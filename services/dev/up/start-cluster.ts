import { join } from 'node:path'
import { writeResolvedCluster } from '#lib/cluster'
import { startGround } from './ground.ts'
import { checkPort } from './ports.ts'
import type { RedisAccounts } from './redis.ts'
import { rotatorAccess } from './rotator.ts'
import { operatorAccess, startServices } from './services.ts'
import type { Stage } from './stage.ts'
import { withStandIns } from './stand-ins.ts'
import type { UpState } from './state-file.ts'
import { startVault } from './vault.ts'

/** Starts everything in the order of need, and says where it is. */
export async function startCluster(stage: Stage): Promise<{ state: UpState; redis: RedisAccounts }> {
  const { options, directories } = stage
  await checkPort('producer', options.port)
  await checkPort('console', options.port === 0 ? 0 : options.port + 1)
  const ground = await startGround(stage)
  const addresses = { models: ground.models, postgresSocket: ground.postgres?.socketDirectory }
  const cluster = withStandIns(stage.cluster, addresses)
  const clusterFile = join(directories.data, 'cluster.json')
  await writeResolvedCluster(cluster, clusterFile)
  const vault = await startVault(stage, cluster, ground)
  const { producer, console, apiKeyFile } = await startServices(stage, {
    cluster,
    clusterFile,
    ground,
    vault,
  })
  const state: UpState = {
    pid: process.pid,
    producer,
    console,
    apiKeyFile,
    vault: vault.address,
    vaultTokenFile: vault.rootTokenFile,
    clusterFile,
    auditFile: join(directories.data, 'audit.log'),
    auditRedis: ground.redis('console'),
    operator: operatorAccess(stage),
    rotator: rotatorAccess(stage),
    redis: ground.redis('enqueue'),
    traces: ground.tracesUrl ?? ground.telemetry.endpoint,
    tracesTokenFile: ground.telemetry.tokenFile,
  }
  return { state, redis: ground.redis }
}
