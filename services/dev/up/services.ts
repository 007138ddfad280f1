import { closeSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Cluster } from '#lib/cluster'
import type { OperatorAccess } from '#lib/http'
import { workerUser } from '#lib/queue'
import { privateDirectory } from './directories.ts'
import type { Ground } from './ground.ts'
import { nodeService } from './node-service.ts'
import { portFor } from './ports.ts'
import { startRotator } from './rotator.ts'
import { common, passableDirectory } from './service-config.ts'
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

/** Starts the sidecar, the producer, the rotator, one worker for each agent type, and the console. */
export async function startServices(stage: Stage, running: Running) {
  const agentTypes = Object.keys(running.cluster.agents)
  const keys = stage.credentials.apiKeys(agentTypes)
  const { signingKeyFile, publicKeyFile } = stage.credentials.signingKeys()
  const socketDir = await startSidecar(stage, running, publicKeyFile)
  const producer = await startProducer(stage, running, { signingKeyFile, apiKeysFile: keys.apiKeysFile })
  const given = { socketDir, producerUrl: producer, publicKeyFile, workerKeyFile: keys.workerKeyFile }
  const [console] = await Promise.all([
    startConsole(stage, running, keys.apiKeysFile),
    startRotator(stage, running),
    ...agentTypes.map((agentType) => startWorker(stage, running, { ...given, agentType })),
  ])
  return { producer, console, apiKeyFile: keys.apiKeyFile }
}

/** Where the sidecar listens for the operator's commands, and what they present. */
export function operatorAccess({ directories, credentials }: Stage): OperatorAccess {
  return {
    socket: join(directories.runtime, 'operator', 'sidecar.sock'),
    credentialFile: credentials.file('operator'),
  }
}

/** What a worker of this type presents to the sidecar: a file of each of them. */
const credentialName = (agentType: string) => join('sidecar', agentType)

/** Gives the folder of the sockets. In each folder below it a worker's user meets the sidecar's, and no other does. */
async function startSidecar(stage: Stage, running: Running, publicKeyFile: string): Promise<string> {
  const { credentials, directories, ownership, say, supervisor } = stage
  const socketDir = passableDirectory(directories.runtime, 'sidecar')
  const agentTypes = Object.keys(running.cluster.agents)
  credentials.directory('sidecar')
  for (const agentType of agentTypes)
    ownership.meet(join(socketDir, agentType), 'sidecar', `worker-${agentType}`)
  const auditFile = ownership.lend('sidecar', existing(join(directories.data, 'audit.log')))
  const accessorFile = ownership.lend('sidecar', existing(join(directories.data, 'sidecar-accessor')))
  const give = (file: string, name?: string) => ownership.give('sidecar', file, name)
  const operator = operatorAccess(stage)
  ownership.meet(dirname(operator.socket), 'sidecar', 'sidecar')
  const config = async () => {
    const files = agentTypes.map((agentType) =>
      give(credentials.file(credentialName(agentType)), credentialName(agentType)),
    )
    const { roleIdFile, secretIdFile } = await running.vault.login('sidecar')
    return {
      ...common(stage, running, 'sidecar'),
      socketDir,
      credentialsDir: dirname(files[0]!),
      publicKeyFile: give(publicKeyFile),
      auditFile,
      auditKeyFile: give(credentials.file('audit-key')),
      operator: { ...operator, credentialFile: give(operator.credentialFile) },
      vault: {
        address: running.vault.address,
        roleIdFile: give(roleIdFile),
        secretIdFile: give(secretIdFile),
        accessorFile,
      },
    }
  }
  const user = ownership.userOf('sidecar')
  await supervisor.start(
    nodeService({ name: 'sidecar', folder: 'sidecar', stopPhase: STOP_PHASE.sidecar, user, config }),
  )
  say('sidecar ready')
  return socketDir
}

async function startProducer(
  stage: Stage,
  running: Running,
  files: { signingKeyFile: string; apiKeysFile: string },
): Promise<string> {
  const { supervisor, options, ownership, say } = stage
  const config = (previous?: object) => ({
    ...common(stage, running, 'producer'),
    signingKeyFile: ownership.give('producer', files.signingKeyFile),
    apiKeysFile: ownership.give('producer', files.apiKeysFile),
    port: portFor({ ...previous }, options.port),
  })
  const user = ownership.userOf('producer')
  const spec = nodeService({
    name: 'producer',
    folder: 'producer',
    stopPhase: STOP_PHASE.producer,
    user,
    config,
  })
  const url = urlOf(await supervisor.start(spec), 'producer')
  say(`producer ready on ${url}`)
  return url
}

interface WorkerGiven {
  socketDir: string
  agentType: string
  producerUrl: string
  publicKeyFile: string
  workerKeyFile: (agentType: string) => string
}

/** A worker starts as we are, since its launcher stays so; it becomes its user by itself. */
async function startWorker(stage: Stage, running: Running, given: WorkerGiven): Promise<void> {
  const { supervisor, say } = stage
  const { agentType } = given
  const name = workerUser(agentType)
  const timeoutMs = running.cluster.agents[agentType]!.timeoutMs
  await supervisor.start(
    nodeService({
      name,
      folder: 'worker',
      stopPhase: STOP_PHASE.worker,
      stopTimeoutMs: Math.min(timeoutMs, LONGEST_DRAIN_MS) + DRAIN_MARGIN_MS,
      config: workerConfig(stage, running, given),
    }),
  )
  say(`worker ${agentType} ready`)
}

function workerConfig(stage: Stage, running: Running, given: WorkerGiven): () => object {
  const { agentType, producerUrl, socketDir, publicKeyFile } = given
  const { credentials, directories, ownership } = stage
  const name = workerUser(agentType)
  const runtimeDir = privateDirectory(passableDirectory(directories.runtime, 'w'), agentType)
  const user = ownership.userOf(name)
  return () => ({
    ...common(stage, running, name),
    agentType,
    producerUrl,
    runtimeDir,
    publicKeyFile: ownership.give(name, publicKeyFile),
    apiKeyFile: ownership.give(name, given.workerKeyFile(agentType)),
    sidecarSocket: join(socketDir, agentType, 'sidecar.sock'),
    sidecarCredentialFile: ownership.give(
      name,
      credentials.file(credentialName(agentType)),
      'sidecar-credential',
    ),
    runAs: user && { uid: user.uid, gid: user.gid, groups: user.groups.join(',') },
  })
}

async function startConsole(stage: Stage, running: Running, apiKeysFile: string): Promise<string> {
  const { supervisor, options, ownership, say } = stage
  const port = options.port === 0 ? 0 : options.port + 1
  const { tracesUrl } = running.ground
  const config = (previous?: object) => ({
    ...common(stage, running, 'console'),
    apiKeysFile: ownership.give('console', apiKeysFile),
    tracesUrl,
    port: portFor({ ...previous }, port),
  })
  const user = ownership.userOf('console')
  const spec = nodeService({
    name: 'console',
    folder: 'console',
    stopPhase: STOP_PHASE.console,
    user,
    config,
  })
  const url = urlOf(await supervisor.start(spec), 'console')
  say(`console ready on ${url}`)
  return url
}

/** A file that is there, empty at first. */
function existing(path: string): string {
  closeSync(openSync(path, 'a', 0o600))
  return path
}
