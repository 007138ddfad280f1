import * as z from 'zod'
import * as answers from './answers.ts'
import { VaultAdmin } from './admin.ts'
import { VaultAppRoles } from './app-roles.ts'
import { durationOf, VaultCalls, type VaultOptions } from './calls.ts'
import { isVaultError } from './errors.ts'
import { VaultInventory } from './inventory.ts'
import { type VaultPath, vaultPath } from './path.ts'

/** A child token as asked for. */
export interface CreateTokenOptions {
  ttlMs: number
  /** Default: ttlMs. */
  explicitMaxTtlMs?: number | undefined
  /** Facts that Vault's own audit log shows in clear. Never a value. */
  meta?: Record<string, string> | undefined
  displayName?: string | undefined
}

/** Vault's word for "no such token": status and text differ between versions. */
const TOKEN_IS_GONE = new Set(['invalid accessor', 'bad token'])

/**
 * One Vault, typed. Every call takes the token it acts with; the client holds none.
 * All methods throw VaultError. What is idempotent is retried within the call's total timeout.
 */
export class VaultClient implements AsyncDisposable {
  readonly #calls: VaultCalls
  /** What the bootstrap and `policies apply` need. */
  readonly admin: VaultAdmin
  /** What lies where, by path: for plans, proofs and lists. */
  readonly inventory: VaultInventory
  /** Secret-ids of AppRoles other than our services'. */
  readonly appRoles: VaultAppRoles

  private constructor(calls: VaultCalls) {
    this.#calls = calls
    this.admin = new VaultAdmin(calls)
    this.inventory = new VaultInventory(calls)
    this.appRoles = new VaultAppRoles(calls)
  }

  /** Opens no connection yet: the first call does. @throws TypeError for an address that is none */
  static async open(options: VaultOptions): Promise<VaultClient> {
    return new VaultClient(new VaultCalls(options))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls[Symbol.asyncDispose]()
  }

  /** The node's state; a sealed, standby or uninitialised one is an answer here, not an error. */
  health(): Promise<answers.Health> {
    const accept = isHealthStatus
    return this.#calls.call({
      method: 'GET',
      path: vaultPath('sys', 'health'),
      accept,
      answer: answers.HealthAnswer,
    })
  }

  /** Logs in. Never retried: a secret-id may be for one use, and five bad logins lock the role for 15 minutes. */
  approleLogin(login: { roleId: string; secretId: string }): Promise<answers.VaultAuth> {
    const json = { role_id: login.roleId, secret_id: login.secretId }
    const path = vaultPath('auth', 'approle', 'login')
    return this.#calls.call({ method: 'POST', path, json, login: true, answer: answers.AuthAnswer })
  }

  /** Logs in with the token of a Kubernetes service account, by the auth method at `auth/<mount>`. Never retried. */
  kubernetesLogin(mount: string, json: { role: string; jwt: string }): Promise<answers.VaultAuth> {
    const path = vaultPath('auth', mount, 'login')
    return this.#calls.call({ method: 'POST', path, json, login: true, answer: answers.AuthAnswer })
  }

  /** What the wrapping token holds. Works once. */
  unwrap(wrappingToken: string): Promise<Record<string, unknown>> {
    const path = vaultPath('sys', 'wrapping', 'unwrap')
    return this.#calls.call({ method: 'POST', path, token: wrappingToken, answer: answers.DataAnswer })
  }

  /** Where the wrapping token was made; look before unwrapping, a swapped token shows here. */
  wrapLookup(wrappingToken: string): Promise<answers.WrapInfo> {
    const path = vaultPath('sys', 'wrapping', 'lookup')
    const json = { token: wrappingToken }
    return this.#calls.call({
      method: 'POST',
      path,
      json,
      idempotent: true,
      answer: answers.WrapLookupAnswer,
    })
  }

  /** Mints a child token through a token role, which alone decides its policies. */
  createToken(token: string, role: string, options: CreateTokenOptions): Promise<answers.VaultAuth> {
    const json = {
      ttl: durationOf(options.ttlMs),
      explicit_max_ttl: durationOf(options.explicitMaxTtlMs ?? options.ttlMs),
      ...(options.meta && { meta: options.meta }),
      ...(options.displayName && { display_name: options.displayName }),
    }
    const path = vaultPath('auth', 'token', 'create', role)
    return this.#calls.call({ method: 'POST', path, token, json, answer: answers.AuthAnswer })
  }

  /** What Vault knows of the token. @throws VaultError denied when it has ended */
  lookupSelf(token: string): Promise<answers.TokenInfo> {
    const path = vaultPath('auth', 'token', 'lookup-self')
    return this.#calls.call({ method: 'GET', path, token, answer: answers.TokenInfoAnswer })
  }

  /** Gives the token more time: `incrementMs` from now, its period or its TTL by default. */
  renewSelf(token: string, incrementMs?: number): Promise<answers.VaultAuth> {
    const json = incrementMs ? { increment: durationOf(incrementMs) } : {}
    return this.#post(token, vaultPath('auth', 'token', 'renew-self'), json, answers.AuthAnswer)
  }

  /** Ends the token, its children and its leases. Vault ends the leases a moment later. */
  revokeSelf(token: string): Promise<void> {
    return this.#post(token, vaultPath('auth', 'token', 'revoke-self'), {}, answers.AnyAnswer)
  }

  /** Ends the token behind the accessor. One that is gone already is no error. */
  async revokeAccessor(token: string, accessor: string): Promise<void> {
    const path = vaultPath('auth', 'token', 'revoke-accessor')
    await this.#post(token, path, { accessor }, answers.AnyAnswer).catch(undefinedWhenGone)
  }

  /** What Vault knows of the token behind the accessor; undefined when there is none (any more). */
  async lookupAccessor(token: string, accessor: string): Promise<answers.TokenInfo | undefined> {
    const path = vaultPath('auth', 'token', 'lookup-accessor')
    return this.#post(token, path, { accessor }, answers.TokenInfoAnswer).catch(undefinedWhenGone)
  }

  /** A version of a KV v2 entry, the latest by default (`path` with its `data` segment: see names). @throws notFound also when deleted */
  kvRead(token: string, path: VaultPath, version?: number): Promise<answers.KvEntry> {
    const query = version === undefined ? undefined : `version=${version}`
    return this.#calls.call({ method: 'GET', path, query, token, answer: answers.KvAnswer })
  }

  /** Writes a version and gives its number. `cas`: the version that must be there now, 0 for none. @throws conflict */
  kvWrite(token: string, path: VaultPath, data: object, cas?: number): Promise<number> {
    const json = { data, options: cas === undefined ? {} : { cas } }
    return this.#calls.call({ method: 'POST', path, token, json, answer: answers.KvWriteAnswer })
  }

  /** A database user of its own, living as long as its lease. `path`: see names. Not retried: each call makes a user. */
  dbCreds(token: string, path: VaultPath): Promise<answers.DatabaseCredentials> {
    return this.#calls.call({
      method: 'GET',
      path,
      token,
      slow: true,
      idempotent: false,
      answer: answers.CredentialsAnswer,
    })
  }

  /** Gives a lease `incrementMs` from now, or what its maximum leaves. */
  leaseRenew(token: string, leaseId: string, incrementMs: number): Promise<answers.LeaseInfo> {
    const json = { lease_id: leaseId, increment: Math.ceil(incrementMs / 1000) }
    return this.#post(token, vaultPath('sys', 'leases', 'renew'), json, answers.LeaseAnswer)
  }

  /** Ends a lease. `sync`: the answer comes after the revocation, and tells of its failure. */
  leaseRevoke(token: string, leaseId: string, options: { sync?: boolean } = {}): Promise<void> {
    const json = { lease_id: leaseId, sync: options.sync === true }
    return this.#post(token, vaultPath('sys', 'leases', 'revoke'), json, answers.AnyAnswer)
  }

  /** What the token may do on each path. */
  capabilitiesSelf(token: string, paths: readonly string[]): Promise<Record<string, string[]>> {
    const path = vaultPath('sys', 'capabilities-self')
    return this.#post(token, path, { paths }, CapabilitiesAnswer).then((found) => only(found, paths))
  }

  /** What another token may do on each path. */
  capabilities(token: string, of: string, paths: readonly string[]): Promise<Record<string, string[]>> {
    const path = vaultPath('sys', 'capabilities')
    return this.#post(token, path, { token: of, paths }, CapabilitiesAnswer).then((found) =>
      only(found, paths),
    )
  }

  /** An idempotent POST: its outcome is the same when it is sent twice. */
  #post<T>(token: string, path: VaultPath, json: object, answer: z.ZodType<T>): Promise<T> {
    return this.#calls.call({ method: 'POST', path, token, json, idempotent: true, answer })
  }
}

/** Standby, disaster recovery, performance standby, not initialised, sealed, removed. */
const isHealthStatus = (status: number) => [429, 472, 473, 474, 501, 503, 530].includes(status)

const CapabilitiesAnswer = z
  .object({ data: z.record(z.string(), z.unknown()) })
  .transform(({ data }) => new Map(Object.entries(data)))

function only(found: Map<string, unknown>, paths: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(
    paths.map((path) => [path, z.array(z.string()).catch(['deny']).parse(found.get(path))]),
  )
}

function undefinedWhenGone(error: unknown): undefined {
  if (isVaultError(error) && (error.kind === 'notFound' || TOKEN_IS_GONE.has(error.reason ?? '')))
    return undefined
  throw error
}
