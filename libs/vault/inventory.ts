import * as z from 'zod'
import { AnyAnswer, DataAnswer } from './answers.ts'
import type { VaultCalls } from './calls.ts'
import { isVaultError } from './errors.ts'
import type { VaultPath } from './path.ts'

const Names = z.object({ data: z.object({ keys: z.array(z.string()) }) }).transform(({ data }) => data.keys)

/** What lies where in Vault, read by path. */
export class VaultInventory {
  readonly #calls: VaultCalls

  constructor(calls: VaultCalls) {
    this.#calls = calls
  }

  /** The names below a path, a folder's with its slash; none when there is nothing. */
  names(token: string, path: VaultPath): Promise<string[]> {
    const listed = this.#calls.call({ method: 'GET', path, token, list: true, answer: Names })
    return listed.catch((error: unknown) => emptyWhenAbsent(error, []))
  }

  /** What Vault answers for a path; undefined when there is nothing. */
  read(token: string, path: VaultPath): Promise<Record<string, unknown> | undefined> {
    const read = this.#calls.call({ method: 'GET', path, token, answer: DataAnswer })
    return read.catch((error: unknown) => emptyWhenAbsent(error, undefined))
  }

  /** Writes what replaces the fields that it names. `slow`: Vault asks another service first. */
  write(token: string, path: VaultPath, json: object, slow = false): Promise<void> {
    return this.#calls.call({ method: 'POST', path, token, json, slow, idempotent: true, answer: AnyAnswer })
  }

  /** Removes what lies at a path. What is not there is no error. */
  async remove(token: string, path: VaultPath): Promise<void> {
    const removal = this.#calls.call({ method: 'DELETE', path, token, idempotent: true, answer: AnyAnswer })
    await removal.catch((error: unknown) => emptyWhenAbsent(error, undefined))
  }
}

function emptyWhenAbsent<T>(error: unknown, empty: T): T {
  if (isVaultError(error, 'notFound')) return empty
  throw error
}
