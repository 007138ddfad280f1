import { PermanentError } from '#lib/runtime'
import { type VaultPath, vaultPath } from './path.ts'

const NAME = /^(?!.*--)[a-z][a-z0-9-]{0,40}$/

/** A name that could make two Vault objects one. */
export class VaultNameError extends PermanentError {
  override readonly name = 'VaultNameError'
  constructor(what: string, value: string) {
    super(`${what} ${JSON.stringify(value)}: expected [a-z][a-z0-9-]{0,40} without "--"`)
  }
}

/** The cluster and environment that every name carries. */
export interface VaultScope {
  cluster: string
  environment: string
}

/** A service that logs in to Vault by an AppRole of its own. */
export type VaultService = 'sidecar' | 'rotator'

/** Every name that we use in one Vault, for one cluster and environment. */
export interface VaultNames {
  readonly scope: Readonly<VaultScope>
  /** Where a static secret lies: `kv/data/tb/<cluster>/<environment>/<secret>`. */
  readonly secret: (secret: string) => VaultPath
  /** What Vault notes of a static secret beside its values. */
  readonly metadata: (secret: string) => VaultPath
  /** Below it lie all static secrets of this cluster and environment. */
  readonly secretsFolder: VaultPath
  /** An agent type's policy and its token role, one name. */
  readonly agent: (agentType: string) => string
  /** The sidecar's policy and its AppRole, one name. */
  readonly sidecar: string
  /** Where the sidecar's secret-ids are made: what a wrapping token must say of itself. */
  readonly sidecarSecretId: VaultPath
  /** Where a service notes the head of its audit log. No secret's path: no environment is called so. */
  readonly auditHead: (service: string) => VaultPath
  /** Where the state of a static secret's rotation lies. Beside the values, never among them: no environment is called so. */
  readonly rotation: (secret: string) => VaultPath
  /** Below it lie the rotation records of this cluster and environment. */
  readonly rotationsFolder: VaultPath
  /** Where a new value waits until it is verified: for the rotator alone. */
  readonly pending: (secret: string) => VaultPath
  /** What Vault notes of it: deleting that deletes every version of the value. */
  readonly pendingMetadata: (secret: string) => VaultPath
  /** The rotator's policy and its AppRole, one name. */
  readonly rotator: string
  /** Where the rotator's secret-ids are made: what a wrapping token must say of itself. */
  readonly rotatorSecretId: VaultPath
  /** A dynamic secret's database connection and role, one name. */
  readonly database: (secret: string) => string
  /** Where a dynamic secret is leased: `database/creds/<name>`. */
  readonly credentials: (secret: string) => VaultPath
  /** True for what we name in this cluster and environment. Not by prefix alone: `tb--a--b--` also begins `tb--a--b---x`. */
  readonly owns: (name: string) => boolean
  /** The agent type that a name of ours is of; undefined for the services' and for databases. */
  readonly agentTypeOf: (name: string) => string | undefined
}

/**
 * The names of one cluster and environment. No two triples share one: a part has neither `/` nor `--` and starts
 * with a letter, so the `--` before a letter is always a boundary (also in `a---b`, which is `a-` and `b`).
 * @throws VaultNameError
 */
export function vaultNames({ cluster, environment }: VaultScope): VaultNames {
  const scope = { cluster: part('cluster', cluster), environment: part('environment', environment) }
  const join = (...parts: string[]) => ['tb', cluster, environment, ...parts].join('--')
  const database = (secret: string) => join('db', part('secret', secret))
  const sidecar = join('sidecar')
  const rotator = join('rotator')
  const beside = (route: string, what: string) => (secret: string) =>
    vaultPath('kv', route, 'tb', cluster, `${environment}--${what}`, part('secret', secret))
  return {
    scope,
    secret: (secret) => vaultPath('kv', 'data', 'tb', cluster, environment, part('secret', secret)),
    metadata: (secret) => vaultPath('kv', 'metadata', 'tb', cluster, environment, part('secret', secret)),
    secretsFolder: vaultPath('kv', 'metadata', 'tb', cluster, environment),
    agent: (agentType) => join('agent', part('agent type', agentType)),
    sidecar,
    sidecarSecretId: secretIdPath(sidecar),
    auditHead: (service) => vaultPath('kv', 'data', 'tb', cluster, `${environment}--audit`, service),
    rotation: beside('data', 'rotation'),
    rotationsFolder: vaultPath('kv', 'metadata', 'tb', cluster, `${environment}--rotation`),
    pending: beside('data', 'pending'),
    pendingMetadata: beside('metadata', 'pending'),
    rotator,
    rotatorSecretId: secretIdPath(rotator),
    database,
    credentials: (secret) => vaultPath('database', 'creds', database(secret)),
    agentTypeOf: (name) =>
      name.startsWith(join('agent', '')) ? name.slice(join('agent', '').length) : undefined,
    owns: (name) => name.startsWith(join('')) && /^[a-z]/.test(name.slice(join('').length)),
  }
}

const secretIdPath = (role: string) => vaultPath('auth', 'approle', 'role', role, 'secret-id')

/** True for what can be the name of a secret, an agent type, a cluster or an environment. */
export const isName = (value: string): boolean => NAME.test(value)

function part(what: string, value: string): string {
  if (!isName(value)) throw new VaultNameError(what, value)
  return value
}
