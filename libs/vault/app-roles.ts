import * as z from 'zod'
import { AnyAnswer } from './answers.ts'
import type { VaultCalls } from './calls.ts'
import { isVaultError } from './errors.ts'
import { vaultPath } from './path.ts'

/** A secret-id that was just made. */
export interface MadeSecretId {
  secretId: string
  /** Names it, and is no secret. */
  accessor: string
  /** Logins that it is good for; 0: any number. */
  uses: number
}
const MadeAnswer = z
  .object({
    data: z.object({
      secret_id: z.string().min(1),
      secret_id_accessor: z.string(),
      secret_id_num_uses: z.number().default(0),
    }),
  })
  .transform(({ data }): MadeSecretId => ({
    secretId: data.secret_id,
    accessor: data.secret_id_accessor,
    uses: data.secret_id_num_uses,
  }))

/** What Vault knows of a secret-id. Never the secret-id itself. */
export interface SecretIdInfo {
  accessor: string
  metadata: Record<string, string>
}
/** Of one that there is not, Vault says nothing (204). */
const InfoAnswer = z
  .object({
    data: z
      .object({ secret_id_accessor: z.string(), metadata: z.record(z.string(), z.string()).nullish() })
      .optional(),
  })
  .transform(
    ({ data }): SecretIdInfo | undefined =>
      data && { accessor: data.secret_id_accessor, metadata: data.metadata ?? {} },
  )

/** Secret-ids of the AppRoles at `auth/approle`. All methods throw VaultError. */
export class VaultAppRoles {
  readonly #calls: VaultCalls

  constructor(calls: VaultCalls) {
    this.#calls = calls
  }

  /** Makes a secret-id that carries these facts, which its tokens carry too. Never retried: each call makes one. */
  make(token: string, role: string, metadata: Record<string, string>): Promise<MadeSecretId> {
    const json = { metadata: JSON.stringify(metadata) }
    const path = vaultPath('auth', 'approle', 'role', role, 'secret-id')
    return this.#calls.call({ method: 'POST', path, token, json, answer: MadeAnswer })
  }

  /** Whose a secret-id or an accessor is; undefined when there is none (any more). No login, so none that could lock the role. */
  find(
    token: string,
    role: string,
    by: { secretId: string } | { accessor: string },
  ): Promise<SecretIdInfo | undefined> {
    const [shelf, json] =
      'secretId' in by
        ? ['secret-id', { secret_id: by.secretId }]
        : ['secret-id-accessor', { secret_id_accessor: by.accessor }]
    const path = vaultPath('auth', 'approle', 'role', role, shelf, 'lookup')
    const found = this.#calls.call({
      method: 'POST',
      path,
      token,
      json,
      idempotent: true,
      answer: InfoAnswer,
    })
    return found.catch((error: unknown) => {
      if (isVaultError(error, 'notFound')) return undefined
      throw error
    })
  }

  /** Ends a secret-id, which has to be there. Tokens from it live on. */
  destroy(token: string, role: string, accessor: string): Promise<void> {
    const path = vaultPath('auth', 'approle', 'role', role, 'secret-id-accessor', 'destroy')
    const json = { secret_id_accessor: accessor }
    return this.#calls.call({ method: 'POST', path, token, json, answer: AnyAnswer })
  }
}
