import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '#lib/cluster'
import { type RedisUser, workerUser } from '#lib/queue'
import type { Ground } from './ground.ts'
import { nodeService } from './node-service.ts'
import { portFor } from './ports.ts'
import { type Stage, urlOf } from './stage.ts'
import { STOP_PHASE } from './stop-phases.ts'
import type { DevVault } from './vault.ts'

/** A worker may drain for as long as its longest attempt, but no longer than this. */
const LONGEST_DRAIN_MS = 60_000
const DRAIN_MARGIN_MS = 5000

/** What the services are started with, beside the stage. */
export interface Running {
  /** With the stand-ins' addresses; also in `clusterFile`. */
  cluster: Cluster
  clusterFile: string
  ground: Ground
  vault: DevVault
}

/** Starts the sidecar, the producer, one worker for each agent type, and the console. */
export async function startServices(stage: Stage, running: Running) {
  const agentTypes = Object.keys(running.cluster.agents)
  const keys = stage.credentials.apiKeys(agentTypes)
  const { signingKeyFile, publicKeyFile } = stage.credentials.signingKeys()
  const paths = await startSidecar(stage, running, publicKeyFile)
  const producer = await startProducer(stage, running, { signingKeyFile, apiKeysFile: keys.apiKeysFile })
  const given = { ...paths, producerUrl: producer, publicKeyFile, workerKeyFile: keys.workerKeyFile }
  const [console] = await Promise.all([
    startConsole(stage, running, keys.apiKeysFile),
    ...agentTypes.map((agentType) => startWorker(stage, running, { ...given, agentType })),
  ])
  return { producer, console, apiKeyFile: keys.apiKeyFile }
}

/** Where workers find the sidecar. */
interface SidecarPaths {
  socketDir: string
  credentialsDir: string
}

async function startSidecar(stage: Stage, running: Running, publicKeyFile: string): Promise<SidecarPaths> {
  const { credentials, directories, say, supervisor } = stage
  const socketDir = passableDirectory(directories.runtime, 'sidecar')
  const credentialsDir = credentials.directory('sidecar')
  for (const agentType of Object.keys(running.cluster.agents)) credentials.file(join('sidecar', agentType))
  const auditFile = join(directories.data, 'audit.log')
  await supervisor.start(
    nodeService({
      name: 'sidecar',
      folder: 'sidecar',
      stopPhase: STOP_PHASE.sidecar,
      config: async () => ({
        ...common(running, 'sidecar'),
        socketDir,
        credentialsDir,
        publicKeyFile,
        auditFile,
        vault: { address: running.vault.address, ...(await running.vault.login()) },
      }),
    }),
  )
  say('sidecar ready')
  return { socketDir, credentialsDir }
}

async function startProducer(
  { supervisor, options, say }: Stage,
  running: Running,
  files: { signingKeyFile: string; apiKeysFile: string },
): Promise<string> {
  const config = (previous?: object) => ({
    ...common(running, 'producer'),
    ...files,
    port: portFor({ ...previous }, options.port),
  })
  const spec = nodeService({ name: 'producer', folder: 'producer', stopPhase: STOP_PHASE.producer, config })
  const url = urlOf(await supervisor.start(spec), 'producer')
  say(`producer ready on ${url}`)
  return url
}

async function startWorker(
  { directories, supervisor, say }: Stage,
  running: Running,
  given: SidecarPaths & {
    agentType: string
    producerUrl: string
    publicKeyFile: string
    workerKeyFile: (agentType: string) => string
  },
): Promise<void> {
  const { agentType, producerUrl, publicKeyFile } = given
  const runtimeDir = passableDirectory(passableDirectory(directories.runtime, 'w'), agentType)
  const timeoutMs = running.cluster.agents[agentType]!.timeoutMs
  const config = () => ({
    ...common(running, workerUser(agentType)),
    agentType,
    producerUrl,
    publicKeyFile,
    runtimeDir,
    apiKeyFile: given.workerKeyFile(agentType),
    sidecarSocket: join(given.socketDir, agentType, 'sidecar.sock'),
    sidecarCredentialFile: join(given.credentialsDir, agentType),
  })
  await supervisor.start(
    nodeService({
      name: `worker-${agentType}`,
      folder: 'worker',
      stopPhase: STOP_PHASE.worker,
      stopTimeoutMs: Math.min(timeoutMs, LONGEST_DRAIN_MS) + DRAIN_MARGIN_MS,
      config,
    }),
  )
  say(`worker ${agentType} ready`)
}

async function startConsole(stage: Stage, running: Running, apiKeysFile: string): Promise<string> {
  const { supervisor, options, say } = stage
  const port = options.port === 0 ? 0 : options.port + 1
  const { tracesUrl } = running.ground
  const config = (previous?: object) => ({
    ...common(running, 'console'),
    apiKeysFile,
    tracesUrl,
    port: portFor({ ...previous }, port),
  })
  const spec = nodeService({ name: 'console', folder: 'console', stopPhase: STOP_PHASE.console, config })
  const url = urlOf(await supervisor.start(spec), 'console')
  say(`console ready on ${url}`)
  return url
}

function common({ clusterFile, ground }: Running, user: RedisUser) {
  return { clusterFile, redis: ground.redis(user), telemetry: ground.telemetry }
}

/** A directory that others may pass through but not read. */
function passableDirectory(...path: string[]): string {
  const directory = join(...path)
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o711)
  return directory
}
