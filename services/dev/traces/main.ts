import { announceReady, createLog, loadConfig, readCredential, untilSignal } from '#lib/runtime'
import { TraceStore } from '#lib/traces'
import { Config } from './config.ts'
import { openServer } from './server.ts'

const config = loadConfig(Config, process.env)
const log = createLog('dev-traces')
await using store = await TraceStore.open({ file: config.databaseFile })
await using server = await openServer({ ...config, token: readCredential(config.tokenFile), store, log })
const signal = untilSignal()
announceReady({ url: server.url })
log.info({ url: server.url }, 'trace store ready')
log.info({ signal: await signal }, 'trace store ending')
