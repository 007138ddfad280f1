import type { IdentityVault, KubernetesLoginOptions, WrappedLoginOptions } from '#lib/secrets'
import {
  type CreateTokenOptions,
  type DatabaseCredentials,
  type KvEntry,
  type LeaseInfo,
  type TokenInfo,
  type VaultAuth,
  VaultError,
  type VaultErrorKind,
  type VaultNames,
  type VaultPath,
  type WrapInfo,
} from '#lib/vault'
import type { TurnedClock } from './turned-clock.ts'

type LoginVault = WrappedLoginOptions['vault'] & KubernetesLoginOptions['vault']

interface FakeToken {
  accessor: string
  role: string
  parent?: string
  endsAt: number
}
type Method = keyof IdentityVault | keyof LoginVault | 'kvRead' | 'dbCreds' | 'leaseRenew'
interface Fault {
  kind: VaultErrorKind
  /** The server did it all the same; only the answer was lost. */
  done?: boolean
}

/**
 * A Vault in memory, with what the sidecar uses: tokens that end with their parent or their TTL, KV, leased users.
 * Faults, refusals and pauses are set per method.
 */
export class FakeVault implements IdentityVault, LoginVault {
  readonly tokens = new Map<string, FakeToken>()
  readonly users = new Map<string, { token: string; name: string }>()
  readonly kv = new Map<string, KvEntry>()
  /** `role path` of every allowed read. */
  readonly allowed = new Set<string>()
  readonly calls: Method[] = []
  readonly metas: (Record<string, string> | undefined)[] = []
  creationPath: string
  ownTtlMs = 1_800_000
  leaseTtlMs = 300_000
  readonly #clock: TurnedClock
  readonly #names: VaultNames
  readonly #faults = new Map<Method, Fault[]>()
  readonly #gates = new Map<Method, Promise<void>>()
  #wrapped: string | undefined = 'wrapping-token'
  #count = 0

  constructor(clock: TurnedClock, names: VaultNames) {
    this.#clock = clock
    this.#names = names
    this.creationPath = names.sidecarSecretId
  }

  /** The next calls of `method` fail so, one fault each. */
  fail(method: Method, ...faults: Fault[]): void {
    this.#faults.set(method, [...(this.#faults.get(method) ?? []), ...faults])
  }

  /** Calls of `method` have their effect only after the returned function was called. */
  hold(method: Method): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gates.set(method, promise)
    return () => {
      this.#gates.delete(method)
      resolve()
    }
  }

  count(method: Method): number {
    return this.calls.filter((call) => call === method).length
  }

  /** Ends a token and what hangs on it, as Vault does. */
  drop(token: string): void {
    this.tokens.delete(token)
    for (const [user, lease] of this.users) if (lease.token === token) this.users.delete(user)
    for (const [child, { parent }] of this.tokens) if (parent === token) this.drop(child)
  }

  /** Wraps a secret-id for another login. */
  rewrap(): void {
    this.#wrapped = 'wrapping-token'
  }

  async wrapLookup(token: string): Promise<WrapInfo> {
    return this.#do('wrapLookup', () => {
      if (token !== this.#wrapped) throw refusal('badRequest')
      return { creationPath: this.creationPath, creationTtlMs: 300_000 }
    })
  }

  async unwrap(token: string): Promise<Record<string, unknown>> {
    return this.#do('unwrap', () => {
      if (token !== this.#wrapped) throw refusal('badRequest')
      this.#wrapped = undefined
      return { secret_id: 'canary-secret-id' }
    })
  }

  async approleLogin(_login: { roleId: string; secretId: string }): Promise<VaultAuth> {
    return this.#do('approleLogin', () => this.#issue(this.#names.sidecar, this.ownTtlMs))
  }

  async kubernetesLogin(_mount: string, { jwt }: { role: string; jwt: string }): Promise<VaultAuth> {
    return this.#do('kubernetesLogin', () => {
      if (jwt !== 'canary-jwt') throw refusal('denied')
      return this.#issue(this.#names.sidecar, this.ownTtlMs)
    })
  }

  async renewSelf(token: string): Promise<VaultAuth> {
    return this.#do('renewSelf', () => {
      const held = this.#live(token)
      held.endsAt = this.#clock.now() + this.ownTtlMs
      return this.#auth(token, held, this.ownTtlMs)
    })
  }

  async revokeSelf(token: string): Promise<void> {
    return this.#do('revokeSelf', () => {
      this.#live(token)
      this.drop(token)
    })
  }

  async createToken(token: string, role: string, options: CreateTokenOptions): Promise<VaultAuth> {
    return this.#do('createToken', () => {
      this.#live(token)
      this.metas.push(options.meta)
      return this.#issue(role, options.ttlMs, token)
    })
  }

  async lookupAccessor(token: string, accessor: string): Promise<TokenInfo | undefined> {
    return this.#do('lookupAccessor', () => {
      this.#live(token)
      const held = this.#byAccessor(accessor)?.[1]
      return held && { accessor, policies: [held.role], ttlMs: 1, path: '', meta: {} }
    })
  }

  async revokeAccessor(token: string, accessor: string): Promise<void> {
    return this.#do('revokeAccessor', () => {
      this.#live(token)
      const found = this.#byAccessor(accessor)
      if (found) this.drop(found[0])
    })
  }

  async kvRead(token: string, path: VaultPath): Promise<KvEntry> {
    return this.#do('kvRead', () => {
      this.#permit(token, path)
      const entry = this.kv.get(path)
      if (!entry) throw refusal('notFound')
      return entry
    })
  }

  async kvWrite(token: string, path: VaultPath, data: object): Promise<number> {
    return this.#do('kvWrite', () => {
      this.#live(token)
      const version = (this.kv.get(path)?.version ?? 0) + 1
      this.kv.set(path, { data: data as KvEntry['data'], version })
      return version
    })
  }

  async dbCreds(token: string, path: VaultPath): Promise<DatabaseCredentials> {
    return this.#do('dbCreds', () => {
      this.#permit(token, path)
      const username = `user-${++this.#count}`
      this.users.set(username, { token, name: path })
      const password = `canary-password-${username}`
      return { username, password, leaseId: `${path}/${username}`, ttlMs: this.leaseTtlMs, renewable: true }
    })
  }

  async leaseRenew(token: string, leaseId: string, incrementMs: number): Promise<LeaseInfo> {
    return this.#do('leaseRenew', () => {
      this.#live(token)
      return { leaseId, ttlMs: incrementMs, renewable: true }
    })
  }

  async #do<T>(method: Method, act: () => T): Promise<T> {
    this.calls.push(method)
    await this.#gates.get(method)
    const fault = this.#faults.get(method)?.shift()
    if (!fault) return act()
    if (fault.done) act()
    throw refusal(fault.kind)
  }

  #permit(token: string, path: string): void {
    if (!this.allowed.has(`${this.#live(token).role} ${path}`)) throw refusal('denied')
  }

  #live(token: string): FakeToken {
    const held = this.tokens.get(token)
    if (held && held.endsAt > this.#clock.now()) return held
    this.drop(token)
    throw refusal('denied')
  }

  #issue(role: string, ttlMs: number, parent?: string): VaultAuth {
    const token = `canary-token-${++this.#count}`
    const held = { accessor: `accessor-${this.#count}`, role, endsAt: this.#clock.now() + ttlMs }
    this.tokens.set(token, { ...held, ...(parent && { parent }) })
    return this.#auth(token, held, ttlMs)
  }

  #auth(token: string, held: FakeToken, ttlMs: number): VaultAuth {
    return { token, accessor: held.accessor, policies: [held.role], ttlMs, renewable: true }
  }

  #byAccessor(accessor: string): [string, FakeToken] | undefined {
    return [...this.tokens].find(([, held]) => held.accessor === accessor && held.endsAt > this.#clock.now())
  }
}

function refusal(kind: VaultErrorKind): VaultError {
  return new VaultError({ kind, operation: 'FAKE call' })
}
