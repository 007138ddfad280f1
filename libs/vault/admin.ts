import * as z from 'zod'
import { AnyAnswer, type Wrapped, WrappedAnswer } from './answers.ts'
import type { VaultCalls } from './calls.ts'
import { type VaultPath, vaultPath } from './path.ts'

const Mounts = z
  .object({ data: z.record(z.string(), z.object({ type: z.string() }).loose()) })
  .transform(({ data }) => new Map(Object.entries(data).map(([path, { type }]) => [path, type])))
const Policy = z.object({ data: z.object({ policy: z.string() }) }).transform(({ data }) => data.policy)
const RoleId = z.object({ data: z.object({ role_id: z.string() }) }).transform(({ data }) => data.role_id)

/** A mount as asked for. */
export interface MountOptions {
  type: string
  options?: Record<string, string>
  description?: string
}

/** Administration: mounts, policies, roles. What it writes is replaced whole, so every write may be repeated. */
export class VaultAdmin {
  readonly #calls: VaultCalls

  constructor(calls: VaultCalls) {
    this.#calls = calls
  }

  /** Mounted engines: type by path, the path with its closing slash. */
  mounts(token: string): Promise<Map<string, string>> {
    return this.#calls.call({ method: 'GET', path: vaultPath('sys', 'mounts'), token, answer: Mounts })
  }

  /** Mounts an engine. @throws VaultError when the path is in use */
  mount(token: string, path: string, options: MountOptions): Promise<void> {
    const at = vaultPath('sys', 'mounts', path)
    return this.#calls.call({ method: 'POST', path: at, token, json: options, answer: AnyAnswer })
  }

  /** Enabled auth methods: type by path, the path with its closing slash. */
  authMethods(token: string): Promise<Map<string, string>> {
    return this.#calls.call({ method: 'GET', path: vaultPath('sys', 'auth'), token, answer: Mounts })
  }

  /** Enables an auth method. @throws VaultError when the path is in use */
  enableAuth(token: string, path: string, type: string): Promise<void> {
    const at = vaultPath('sys', 'auth', path)
    return this.#calls.call({ method: 'POST', path: at, token, json: { type }, answer: AnyAnswer })
  }

  /** A policy's text. @throws VaultError notFound */
  policy(token: string, name: string): Promise<string> {
    const path = vaultPath('sys', 'policies', 'acl', name)
    return this.#calls.call({ method: 'GET', path, token, answer: Policy })
  }

  /** Writes a policy. */
  putPolicy(token: string, name: string, policy: string): Promise<void> {
    return this.#put(token, vaultPath('sys', 'policies', 'acl', name), { policy })
  }

  /** Writes a token role, with the fields of Vault's API. */
  putTokenRole(token: string, name: string, role: object): Promise<void> {
    return this.#put(token, vaultPath('auth', 'token', 'roles', name), role)
  }

  /** Writes an AppRole, with the fields of Vault's API. */
  putAppRole(token: string, name: string, role: object): Promise<void> {
    return this.#put(token, vaultPath('auth', 'approle', 'role', name), role)
  }

  /** The role-id of an AppRole. @throws VaultError notFound */
  roleId(token: string, name: string): Promise<string> {
    const path = vaultPath('auth', 'approle', 'role', name, 'role-id')
    return this.#calls.call({ method: 'GET', path, token, answer: RoleId })
  }

  /** A fresh secret-id that only its wrapping token gives out, once. */
  wrappedSecretId(token: string, name: string, wrapTtlMs: number): Promise<Wrapped> {
    const path = vaultPath('auth', 'approle', 'role', name, 'secret-id')
    return this.#calls.call({ method: 'POST', path, token, json: {}, wrapTtlMs, answer: WrappedAnswer })
  }

  /** `connection` holds the engine's own password: Vault keeps it and never shows it. Vault connects to check it. */
  putDatabaseConnection(token: string, name: string, connection: object): Promise<void> {
    return this.#put(token, vaultPath('database', 'config', name), connection, true)
  }

  /** Writes a role of the database engine, with the fields of Vault's API. */
  putDatabaseRole(token: string, name: string, role: object): Promise<void> {
    return this.#put(token, vaultPath('database', 'roles', name), role)
  }

  #put(token: string, path: VaultPath, json: object, slow = false): Promise<void> {
    return this.#calls.call({ method: 'POST', path, token, json, slow, idempotent: true, answer: AnyAnswer })
  }
}
