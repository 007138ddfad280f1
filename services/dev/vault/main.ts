import { DevVault, PostgresExecutor } from '#lib/dev-vault'
import { announceReady, createLog, loadConfig, readCredential, systemClock, untilSignal } from '#lib/runtime'
import { withArguments } from './arguments.ts'
import { Config } from './config.ts'
import { refuseProduction } from './refuse-production.ts'
import { unsealKeyOf } from './unseal-key.ts'

const config = refuseProduction(loadConfig(Config, withArguments(process.env, process.argv.slice(2))))
const log = createLog('dev-vault')
const unsealKey = unsealKeyOf(config)
await using sqlExecutor = new PostgresExecutor()
await using vault = await DevVault.open({
  clock: systemClock,
  rootToken: readCredential(config.rootTokenFile),
  sqlExecutor,
  log,
  host: config.host,
  port: config.port,
  ...(config.data !== undefined && { data: config.data }),
  ...(unsealKey !== undefined && { unsealKey }),
})
const signal = untilSignal()
announceReady({ url: vault.address })
log.info({ url: vault.address }, 'dev vault ready')
log.info({ signal: await signal }, 'dev vault ending')
