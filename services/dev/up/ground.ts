import { join } from 'node:path'
import { type NodeService, nodeService } from './node-service.ts'
import { privateDirectory } from './directories.ts'
import { portFor } from './ports.ts'
import { preparePostgres, type PostgresServer } from './postgres.ts'
import { seedDatabases } from './postgres-seed.ts'
import { outsideRedis } from './outside-redis.ts'
import { type RedisAccounts, redisService } from './redis.ts'
import type { Stage } from './stage.ts'
import { urlOf } from './stage.ts'
import { planStandIns, type StandIns } from './stand-ins.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** Where spans go, as every service is told. */
export interface Telemetry {
  endpoint: string
  tokenFile?: string
}

/** What the services stand on, running. */
export interface Ground {
  redis: RedisAccounts
  standIns: StandIns
  postgres: PostgresServer | undefined
  models: string | undefined
  telemetry: Telemetry
  /** The trace store's own address; absent when spans go to OTEL_EXPORTER_OTLP_ENDPOINT. */
  tracesUrl: string | undefined
}

/** Gives the stand-ins other model keys, and Vault's values with them. */
export function renewModelKeys({ ownership }: Pick<Stage, 'ownership'>, { standIns }: Ground): void {
  standIns.renewModelKeys()
  if (standIns.keysFile) ownership.give('models', standIns.keysFile)
}

/** Starts Redis, Postgres, the trace store and the models stand-in, as far as the cluster needs them, all at once. */
export async function startGround(stage: Stage): Promise<Ground> {
  const standIns = planStandIns(stage.cluster, stage.credentials)
  const [redis, postgres, traces, models] = await Promise.all([
    startRedis(stage),
    standIns.databases.length > 0 ? startPostgres(stage, standIns) : undefined,
    startTraces(stage),
    standIns.keysFile ? startModels(stage, standIns.keysFile) : undefined,
  ])
  return { redis, standIns, postgres, models, ...traces }
}

async function startRedis(stage: Stage): Promise<RedisAccounts> {
  const { cluster, credentials, supervisor, say } = stage
  const url = process.env['REDIS_URL']
  if (url) {
    const outside = await outsideRedis(url, credentials)
    say('redis: the one of REDIS_URL')
    return () => outside
  }
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const users = { scope, agentTypes: Object.values(cluster.agents) }
  const { spec, accounts } = redisService(stage, users)
  await supervisor.start(spec)
  say('redis ready')
  return accounts
}

async function startPostgres(stage: Stage, { databases }: StandIns): Promise<PostgresServer> {
  const server = await preparePostgres(stage)
  await stage.supervisor.start(server.spec)
  await seedDatabases(server, databases, stage.cluster.root)
  stage.say('postgres ready')
  return server
}

async function startTraces(stage: Stage): Promise<{ telemetry: Telemetry; tracesUrl: string | undefined }> {
  const endpoint = process.env['OTEL_EXPORTER_OTLP_ENDPOINT']
  if (endpoint) return { telemetry: { endpoint }, tracesUrl: undefined }
  const tokenFile = stage.credentials.file('telemetry-token')
  const { ownership, directories } = stage
  const folder = ownership.lend('traces', privateDirectory(directories.data, 'traces'))
  const databaseFile = join(folder, 'traces.sqlite')
  const tracesUrl = await startHelper(stage, {
    name: 'traces',
    folder: 'dev/traces',
    stopPhase: STOP_PHASE.traces,
    user: ownership.userOf('traces'),
    config: (previous) => ({
      port: portFor(previous, 0),
      databaseFile,
      tokenFile: ownership.give('traces', tokenFile),
    }),
  })
  return { telemetry: { endpoint: tracesUrl, tokenFile }, tracesUrl }
}

/** Keys that were made by calls are kept through its restarts. */
function startModels(stage: Stage, keysFile: string): Promise<string> {
  const { ownership, cluster, directories } = stage
  const folder = ownership.lend('models', privateDirectory(directories.data, 'models'))
  return startHelper(stage, {
    name: 'models',
    folder: 'dev/models',
    stopPhase: STOP_PHASE.models,
    user: ownership.userOf('models'),
    config: (previous) => ({
      port: portFor(previous, 0),
      keysFile: ownership.give('models', keysFile),
      stateFile: join(folder, 'organization.json'),
      environment: cluster.environment,
    }),
  })
}

async function startHelper(stage: Stage, service: NodeService): Promise<string> {
  const url = urlOf(await stage.supervisor.start(nodeService(service)), service.name)
  stage.say(`${service.name} ready on ${url}`)
  return url
}
