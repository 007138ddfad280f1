import { loadCluster } from '#lib/cluster'
import { announceReady, createLog, loadConfig, untilSignal } from '#lib/runtime'
import { openTelemetry } from '#lib/telemetry'
import { Config } from './config.ts'
import { becomeUser } from './rights.ts'
import { openServiceLauncher } from './pool.ts'
import { openService } from './service.ts'

const config = loadConfig(Config, process.env)
const log = createLog('worker').child({ agentType: config.agentType })

/** Serves until a signal, or until the launcher is gone: the two end together. */
async function serve(): Promise<void> {
  const cluster = await loadCluster(config.clusterFile)
  const launcher = openServiceLauncher(config, cluster)
  await launcher.catch(() => {}) // it runs, or it says why not where operators hear of it
  if (config.runAs) becomeUser(config.runAs)
  const { environment } = cluster
  await using _telemetry = await openTelemetry({ service: 'worker', environment, ...config.telemetry, log })
  await using service = await openService({ config, cluster, launcher, log })
  const signal = untilSignal(service.launcherGone.then(() => 'launcher-gone'))
  announceReady()
  log.info({ slots: service.slots, level: service.level }, 'worker ready')
  log.info({ signal: await signal }, 'worker draining')
}

await serve()
// A Redis that is away keeps its client trying, and with it the process.
process.exit()
