import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, levelFault, loadCluster } from '#lib/cluster'
import { type Level, onDispose, PermanentError } from '#lib/runtime'
import { Supervisor } from '../supervision/index.ts'
import { Credentials } from './credentials.ts'
import { lockData } from './data-lock.ts'
import { makeDirectories, privateDirectory } from './directories.ts'
import { checkLevels } from './host-levels.ts'
import type { UpOptions } from './options.ts'
import {
  checkPrivateMounts,
  type Ownership,
  SeparateOwnership,
  sharedOwnership,
  whoRunsAsWhom,
} from './ownership.ts'
import { arrangeMounts } from './private-mounts.ts'
import { ServiceUsers } from './service-users.ts'
import { startCluster } from './start-cluster.ts'
import { type UpState, writeState } from './state-file.ts'
import { policyCheckEveryMs, watchPolicies } from './watch-policies.ts'

/** `--isolation` asks for a level that an agent type may not run at. */
export class IsolationError extends PermanentError {
  override readonly name = 'IsolationError'
  constructor(agentType: string, fault: string) {
    super(`--isolation: agent type ${agentType}: ${fault}`)
  }
}

/** A running cluster; its disposal stops everything in order. */
export interface OpenCluster extends AsyncDisposable {
  state: UpState
}

/**
 * Starts a cluster on this machine. What fails or is interrupted half-way leaves nothing behind.
 */
export async function openCluster(
  options: UpOptions,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<OpenCluster> {
  const cluster = withIsolation(await loadCluster(options.cluster), options.isolation)
  const everyMs = policyCheckEveryMs()
  await checkLevels(cluster)
  await using stack = new AsyncDisposableStack()
  stack.use(lockData(privateDirectory(options.data)))
  const directories = makeDirectories(options.data)
  const ownership = openOwnership(cluster, options)
  say(whoRunsAsWhom(ownership))
  const { claim } = ownership
  const logDir = join(directories.data, 'logs')
  const supervisor = stack.use(Supervisor.open({ logDir, runtimeDir: directories.runtime, claim, say }))
  killAtExit(supervisor, stack)
  stopEarly(supervisor, signal)
  const credentials = new Credentials(directories.data)
  const { state, redis } = await startCluster({
    cluster,
    options,
    supervisor,
    credentials,
    directories,
    ownership,
    say,
  })
  stack.use(writeState(directories.data, state))
  stack.use(await watchPolicies({ state, redis: redis('sidecar'), everyMs, say }))
  const running = stack.move()
  return { state, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

/** A user for each service where we are root. @throws NotApartError, NoServiceUidsError */
function openOwnership(cluster: Cluster, { data, hostMounts }: UpOptions): Ownership {
  if (process.platform !== 'linux' || process.getuid!() !== 0) return sharedOwnership
  checkPrivateMounts(hostMounts)
  arrangeMounts({ clusterRoot: cluster.root, data: realpathSync(data) })
  const users = ServiceUsers.claim(Object.keys(cluster.agents))
  return SeparateOwnership.open(users, filesOf(cluster))
}

/** What services read of what is not ours. */
function filesOf({ agents }: Cluster): string[] {
  return Object.values(agents).flatMap(({ handler }) => handler ?? [])
}

/** A second signal ends the process at once: then every group is killed on the way out. */
function killAtExit(supervisor: Supervisor, stack: AsyncDisposableStack): void {
  const kill = () => supervisor.killNow()
  process.once('exit', kill)
  stack.use(
    onDispose(async () => {
      await supervisor[Symbol.asyncDispose]()
      process.off('exit', kill)
    }),
  )
}

/** A signal during the start stops what has been started; the step that waits is told so. */
function stopEarly(supervisor: Supervisor, signal: AbortSignal): void {
  signal.addEventListener('abort', () => void supervisor[Symbol.asyncDispose](), { once: true })
}

function withIsolation(cluster: Cluster, isolation: Level | undefined): Cluster {
  if (!isolation) return cluster
  const agents = Object.values(cluster.agents).map((agent) => {
    const fault = levelFault(agent, isolation)
    if (fault) throw new IsolationError(agent.name, fault)
    return [agent.name, { ...agent, isolation }] as const
  })
  return { ...cluster, agents: Object.fromEntries(agents) }
}
