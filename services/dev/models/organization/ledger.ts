import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import * as z from 'zod'

const Account = z.strictObject({
  id: z.string(),
  project: z.string(),
  name: z.string(),
  role: z.enum(['member', 'none']),
  createdAt: z.number(),
})
const ProjectKey = z.strictObject({
  id: z.string(),
  accountId: z.string(),
  project: z.string(),
  name: z.string(),
  /** SHA-256 of the value, which is kept nowhere. */
  hash: z.string(),
  redacted: z.string(),
  createdAt: z.number(),
  expiresAt: z.number().nullable(),
  lastUsedAt: z.number().nullable(),
})
const State = z.strictObject({
  /** The keys that the organization began with; with others it begins anew. */
  begunWith: z.string(),
  accounts: z.array(Account),
  keys: z.array(ProjectKey),
})

/** A service account of a project. Times are Unix seconds, as in OpenAI's API. */
export type Account = z.infer<typeof Account>
/** A key of a service account. */
export type ProjectKey = z.infer<typeof ProjectKey>
/** The organization as it is kept. */
export type LedgerState = z.infer<typeof State>

/** Keeps an organization in a file, so that a key that was handed out outlives the stand-in. Without a file: in memory. */
export class Ledger {
  readonly #file: string | undefined
  state: LedgerState

  constructor(file?: string) {
    this.#file = file
    this.state = (file && read(file)) || { begunWith: '', accounts: [], keys: [] }
  }

  /** Whole or not at all, before a change is answered. */
  save(): void {
    if (!this.#file) return
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.state), { mode: 0o600 })
    renameSync(`${this.#file}.new`, this.#file)
  }
}

function read(file: string): LedgerState | undefined {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text === '' ? undefined : State.parse(JSON.parse(text))
}
