import * as z from 'zod'
import { AnyAnswer, type Wrapped, WrappedAnswer } from './answers.ts'
import type { VaultCalls } from './calls.ts'
import { vaultPath } from './path.ts'

const RoleId = z.object({ data: z.object({ role_id: z.string() }) }).transform(({ data }) => data.role_id)

/** A mount as asked for. */
export interface MountOptions {
  type: string
  options?: Record<string, string>
  description?: string
}

/** Administration that is more than a document at a path: mounts, auth methods, logins for a sidecar. */
export class VaultAdmin {
  readonly #calls: VaultCalls

  constructor(calls: VaultCalls) {
    this.#calls = calls
  }

  /** Mounts an engine. @throws VaultError when the path is in use */
  mount(token: string, path: string, options: MountOptions): Promise<void> {
    const at = vaultPath('sys', 'mounts', path)
    return this.#calls.call({ method: 'POST', path: at, token, json: options, answer: AnyAnswer })
  }

  /** Enables an auth method. @throws VaultError when the path is in use */
  enableAuth(token: string, path: string, type: string): Promise<void> {
    const at = vaultPath('sys', 'auth', path)
    return this.#calls.call({ method: 'POST', path: at, token, json: { type }, answer: AnyAnswer })
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

  /** Ends every lease below a path at once, and tells of a failure. */
  revokePrefix(token: string, ...path: [string, ...string[]]): Promise<void> {
    const at = vaultPath('sys', 'leases', 'revoke-prefix', ...path)
    const json = { sync: true }
    return this.#calls.call({
      method: 'POST',
      path: at,
      token,
      json,
      slow: true,
      idempotent: true,
      answer: AnyAnswer,
    })
  }
}
