import { durationOf } from './calls.ts'
import { type VaultNames, vaultNames, type VaultScope } from './names.ts'
import { compare, policy, rule } from './policy-text.ts'
import { type RotatedSecret, rotatorPolicy } from './rotator-rights.ts'

const HOUR_MS = 3_600_000

/** What Vault shall hold, said in terms of the cluster file. */
export interface PolicyInput extends VaultScope {
  agentTypes: {
    name: string
    /** What the type may use: its own list and the secret of its model. */
    secrets: { name: string; kind: 'static' | 'database' }[]
    /** Its attempts' timeout: a token for one lives at most a minute longer. Default: under an hour. */
    timeoutMs?: number
  }[]
  databases: DatabaseInput[]
  /** The static secrets that the rotator gives new values. Default: none, and then there is no rotator. */
  rotated?: RotatedSecret[]
  /** Every static secret, also those that are for no agent type: a proof asks about them. */
  staticSecrets?: string[]
}

/** A database that users are leased on. */
export interface DatabaseInput {
  /** The dynamic secret that it is. */
  secret: string
  /** The static secret with the engine's own user, as `user:password`. */
  adminSecret: string
  host: string
  port: number
  database: string
  /** Directory of the server's unix socket; used instead of host when given. */
  socket?: string | undefined
  /** What a user may, each the rest of a GRANT: `SELECT ON ALL TABLES IN SCHEMA public`. */
  grant: readonly string[]
  ttlMs: number
  /** How far renewals may carry a lease. Default: the longer of ttlMs and an hour. */
  maxTtlMs?: number
}

/** What Vault shall hold, as data: no secret in it. Everything is sorted, so equal inputs give equal plans. */
export interface DesiredVault {
  names: VaultNames
  mounts: { path: string; type: string; options?: Record<string, string> }[]
  authMethods: { path: string; type: string }[]
  policies: { name: string; text: string }[]
  tokenRoles: { name: string; role: Record<string, unknown> }[]
  appRoles: { name: string; role: Record<string, unknown> }[]
  databases: {
    name: string
    secret: string
    adminSecret: string
    /** Without user and password, which are read from the admin secret while applying. */
    connection: Record<string, unknown>
    role: Record<string, unknown>
  }[]
}

/**
 * Plans Vault for a cluster.
 * P1: an agent type's token reads exactly the secrets of its type; no path in a policy has a wildcard.
 * P2: the sidecar's own token reads no secret: it mints by the listed roles, and ends what it minted.
 * P3: no token gets Vault's `default` policy; no minted token is renewable or outlives the sidecar's.
 * P4: the rotator writes exactly the secrets that it rotates, and no token role can give its policy.
 * A leased secret that no database declares (its admin secret is not there yet) has its right already, and fails until
 * the database is planned too.
 * @throws VaultNameError
 */
export function planPolicies(input: PolicyInput): DesiredVault {
  const names = vaultNames(input)
  const agentTypes = input.agentTypes.toSorted((a, b) => compare(a.name, b.name))
  const databases = input.databases.toSorted((a, b) => compare(a.secret, b.secret))
  const rotated = input.rotated ?? []
  const rotator = rotated.length > 0
  return {
    names,
    mounts: [
      { path: 'database', type: 'database' },
      { path: 'kv', type: 'kv', options: { version: '2' } },
    ],
    authMethods: [{ path: 'approle', type: 'approle' }],
    policies: [
      ...agentTypes.map((type) => ({ name: names.agent(type.name), text: agentPolicy(names, type) })),
      ...(rotator ? [{ name: names.rotator, text: rotatorPolicy(names, rotated) }] : []),
      { name: names.sidecar, text: sidecarPolicy(names, agentTypes) },
    ],
    tokenRoles: agentTypes.map((type) => ({ name: names.agent(type.name), role: tokenRole(names, type) })),
    appRoles: [...(rotator ? [names.rotator] : []), names.sidecar].map((name) => ({
      name,
      role: serviceRole(name),
    })),
    databases: databases.map((database) => planDatabase(names, database)),
  }
}

type AgentTypeInput = PolicyInput['agentTypes'][number]

function agentPolicy(names: VaultNames, type: AgentTypeInput): string {
  const paths = type.secrets.map(({ name, kind }) =>
    rule(kind === 'static' ? names.secret(name) : names.credentials(name), 'read'),
  )
  const leases = type.secrets.some(({ kind }) => kind === 'database')
  return policy(names, [
    ...paths,
    rule('auth/token/revoke-self', 'update'),
    ...(leases ? [rule('sys/leases/renew', 'update')] : []),
  ])
}

/** Which policies a token gets is the role's business: the sidecar may not even name them. */
function sidecarPolicy(names: VaultNames, agentTypes: readonly AgentTypeInput[]): string {
  const parameters = ['display_name', 'explicit_max_ttl', 'meta', 'ttl']
  return policy(names, [
    ...agentTypes.map(({ name }) => rule(`auth/token/create/${names.agent(name)}`, 'update', parameters)),
    rule(names.auditHead('sidecar'), ['create', 'update']),
    rule('auth/token/lookup-accessor', 'update'),
    rule('auth/token/lookup-self', 'read'),
    rule('auth/token/renew-self', 'update'),
    rule('auth/token/revoke-accessor', 'update'),
    rule('auth/token/revoke-self', 'update'),
  ])
}

/**
 * A role token cannot be renewed, so its explicit maximum is its end; the sidecar's end is its end too. What is empty is
 * said all the same: a write leaves alone what it does not name, so a field that someone added would stay.
 */
function tokenRole(names: VaultNames, type: AgentTypeInput): Record<string, unknown> {
  return {
    allowed_policies: [names.agent(type.name)],
    allowed_policies_glob: [],
    allowed_entity_aliases: [],
    token_no_default_policy: true,
    token_type: 'service',
    orphan: false,
    renewable: false,
    token_period: '0s',
    path_suffix: '',
    token_explicit_max_ttl: durationOf(Math.max(HOUR_MS, (type.timeoutMs ?? 0) + 60_000)),
  }
}

/** How a service logs in: each secret-id works once, its token lives on while it is renewed. */
function serviceRole(policyName: string): Record<string, unknown> {
  return {
    token_policies: [policyName],
    token_no_default_policy: true,
    token_type: 'service',
    token_period: '1800s',
    bind_secret_id: true,
    secret_id_num_uses: 1,
    secret_id_ttl: '3600s',
  }
}

function planDatabase(names: VaultNames, input: DatabaseInput): DesiredVault['databases'][number] {
  const name = names.database(input.secret)
  return {
    name,
    secret: input.secret,
    adminSecret: input.adminSecret,
    connection: {
      plugin_name: 'postgresql-database-plugin',
      connection_url: connectionUrl(input),
      allowed_roles: [name],
      verify_connection: true,
    },
    role: {
      db_name: name,
      creation_statements: [
        `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
        ...input.grant.map((grant) => `GRANT ${grant} TO "{{name}}";`),
      ],
      revocation_statements: REVOCATION,
      renew_statements: [],
      rollback_statements: [],
      default_ttl: durationOf(input.ttlMs),
      max_ttl: durationOf(input.maxTtlMs ?? Math.max(input.ttlMs, HOUR_MS)),
    },
  }
}

/**
 * No new session, then end the open ones, then drop: an open session outlives DROP ROLE otherwise. A Vault that sends all of
 * it as one transaction keeps that order for who connects in between; no relay of ours does, since those are closed before.
 * The grant comes first because an admin that is no superuser may neither cut sessions nor drop what is owned without it.
 * A user that is gone already is no error: else a lease whose last answer was lost could never end.
 */
const REVOCATION = [
  ifPresent(`GRANT "{{name}}" TO CURRENT_USER; ALTER ROLE "{{name}}" NOLOGIN;`),
  `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';`,
  ifPresent(`DROP OWNED BY "{{name}}"; DROP ROLE "{{name}}";`),
]

/** Vault takes a statement with END in it as one, and divides others at semicolons. */
function ifPresent(statements: string): string {
  const isPresent = `EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}')`
  return `DO $revoke$ BEGIN IF ${isPresent} THEN ${statements} END IF; END $revoke$;`
}

/** Vault fills in user and password itself, so that it can hide and rotate them. */
function connectionUrl({ host, port, database, socket }: DatabaseInput): string {
  const user = '{{username}}:{{password}}'
  const name = encodeURIComponent(database)
  if (socket) return `postgresql://${user}@/${name}?host=${encodeURIComponent(socket)}&port=${port}`
  return `postgresql://${user}@${host.includes(':') ? `[${host}]` : host}:${port}/${name}`
}
