import type { KeyObject } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { AuditLog } from '#lib/audit'
import { Upstream } from '#lib/broker'
import type { Cluster } from '#lib/cluster'
import { isLockHeld, queueOf, type RaiseAlert } from '#lib/queue'
import { type Clock, type Log, steadyClock, systemClock } from '#lib/runtime'
import type { LeaseSetOptions, SecretReader, SidecarIdentity } from '#lib/secrets'
import type { VaultNames } from '#lib/vault'
import { Access } from './access.ts'
import { Attempts } from './attempts.ts'
import { Claims } from './claim.ts'
import { ContextRoutes } from './context-routes.ts'
import { WorkerCredential } from './credential.ts'
import { FetchRoute } from './fetch-route.ts'
import { Gate } from './gate.ts'
import { type IsLockHeld, watchLocks } from './lock-watch.ts'
import { watchMints } from './mint-watch.ts'
import { ModelRoute } from './model-route.ts'
import { Redactions } from './redactions.ts'
import { Revocations } from './revocations.ts'
import { TypeSocket } from './type-socket.ts'
import { WorkerRoutes } from './worker-routes.ts'

/** All that a sidecar works with. It disposes none of them. */
export interface SidecarOptions {
  cluster: Cluster
  socketDir: string
  credentialsDir: string
  publicKey: KeyObject
  redis: Redis
  vault: LeaseSetOptions['vault']
  names: VaultNames
  identity: SidecarIdentity
  reader: SecretReader
  audit: AuditLog
  auditKey: KeyObject
  raise: RaiseAlert
  /** Nothing is granted in these. Default: none. */
  revokedTraces?: readonly string[]
  log: Log
  /** For deadlines and trust. Default: one that nobody can set. */
  clock?: Clock
}

/** The sidecar, listening: one socket per agent type. Its end takes no more connections and ends every grant. */
export class Sidecar implements AsyncDisposable {
  readonly revocations: Revocations
  readonly #resources: AsyncDisposableStack

  private constructor(revocations: Revocations, resources: AsyncDisposableStack) {
    this.revocations = revocations
    this.#resources = resources
  }

  /** @throws ConfigError for a missing credential or a path that no socket can have */
  static async open(options: SidecarOptions): Promise<Sidecar> {
    await using stack = new AsyncDisposableStack()
    const types = Object.keys(options.cluster.agents)
    const credentials = new Map(
      types.map((type) => [type, new WorkerCredential(options.credentialsDir, type)]),
    )
    const { gate, revocations } = wire(options, credentials, stack)
    for (const type of types)
      stack.use(await TypeSocket.open(options.socketDir, type, (socket) => void gate.accept(type, socket)))
    return new Sidecar(revocations, stack.move())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

function wire(
  options: SidecarOptions,
  credentials: Map<string, WorkerCredential>,
  stack: AsyncDisposableStack,
): { gate: Gate; revocations: Revocations } {
  const all = { ...options, clock: options.clock ?? steadyClock }
  const upstream = stack.use(Upstream.open())
  const attempts = stack.use(new Attempts(all))
  const redactions = stack.use(new Redactions(all))
  const counts = () => ({ minted: all.identity.minted, attempts: attempts.count })
  const agentTypes = Object.keys(all.cluster.agents).length
  stack.use(watchMints({ counts, agentTypes, raise: all.raise, clock: all.clock }))
  const scope = { cluster: all.cluster.name, environment: all.cluster.environment }
  const isHeld: IsLockHeld = (type, lock) => isLockHeld(all.redis, queueOf(scope, type), lock)
  const locks = { ...all, attempts, isLockHeld: isHeld }
  stack.use(watchLocks(locks))
  const access = new Access({ ...all, redactions })
  const { revokedTraces = [] } = options
  const revocations = new Revocations({ ...all, revokedTraces, attempts, redactions })
  const claims = new Claims({ ...locks, revocations, wallClock: systemClock })
  const serving = { access, upstream, clock: all.clock }
  const gate = new Gate({
    attempts,
    access,
    redactions,
    credentials,
    log: all.log,
    workerRoutes: new WorkerRoutes({ claims, attempts, clock: all.clock }),
    contextRoutes: new ContextRoutes({
      access,
      model: new ModelRoute(serving),
      fetch: new FetchRoute(serving),
    }),
  })
  return { gate, revocations }
}
