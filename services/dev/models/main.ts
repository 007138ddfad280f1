import { announceReady, createLog, loadConfig, untilSignal } from '#lib/runtime'
import { Config } from './config.ts'
import { AcceptedKeys } from './keys.ts'
import { StandIn } from './server.ts'

const config = loadConfig(Config, process.env)
const log = createLog('models')
await using standIn = await StandIn.open({
  host: config.host,
  port: config.port,
  keys: new AcceptedKeys(config.keysFile),
  stateFile: config.stateFile,
  log,
})
const signal = untilSignal()
announceReady({ url: standIn.url })
log.info({ url: standIn.url }, 'model stand-in ready')
log.info({ signal: await signal }, 'model stand-in stopping')
