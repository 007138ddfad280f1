import { announceReady, createLog, loadConfig, untilSignal } from '#lib/runtime'
import { openTelemetry } from '#lib/telemetry'
import { Config } from './config.ts'
import { openService } from './service.ts'

const config = loadConfig(Config, process.env)
const log = createLog('worker').child({ agentType: config.agentType })
await using _telemetry = await openTelemetry({ service: 'worker', ...config.telemetry })
await using service = await openService(config, log)
announceReady()
log.info({ slots: service.slots, level: service.level }, 'worker ready')
const launcherGone = service.launcherGone.then(() => 'launcher-gone')
log.info({ signal: await Promise.race([untilSignal(), launcherGone]) }, 'worker draining')
