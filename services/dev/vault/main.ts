import { DevVault, PostgresExecutor } from '#lib/dev-vault'
import { announceReady, createLog, loadConfig, readCredential, systemClock, untilSignal } from '#lib/runtime'
import { Config } from './config.ts'
import { refuseProduction } from './refuse-production.ts'

const config = refuseProduction(loadConfig(Config, process.env))
const log = createLog('dev-vault')
await using sqlExecutor = new PostgresExecutor()
await using vault = await DevVault.open({
  clock: systemClock,
  rootToken: readCredential(config.rootTokenFile),
  sqlExecutor,
  log,
  host: config.host,
  port: config.port,
})
const signal = untilSignal()
announceReady({ url: vault.address })
log.info({ url: vault.address }, 'dev vault ready')
log.info({ signal: await signal }, 'dev vault ending')
