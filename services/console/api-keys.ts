import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import * as z from 'zod'
import { ConfigError } from '#lib/runtime'

const KeyList = z.array(
  z.object({
    hash: z.string().regex(/^[0-9a-f]{64}$/),
    caller: z.string(),
    tenant: z.string(),
    agentType: z.string().optional(),
  }),
)

/** Whom a key stands for. */
export interface Operator {
  caller: string
  /** SHA-256 of the key, hex. */
  hash: string
}

/** The API keys file. Read anew when it changes, so that a key taken out of it opens nothing from then on. */
export class ApiKeys {
  readonly #file: string
  #readAt = ''
  #keys: z.infer<typeof KeyList> = []

  /** @throws ConfigError naming the file, when it cannot be read or is no list of keys */
  constructor(file: string) {
    this.#file = file
    this.#refresh()
  }

  /** Who shows `key`; undefined for an unknown one, and for a worker's: it belongs to a process, not to a person. */
  operator(key: string): Operator | undefined {
    return this.operatorOf(createHash('sha256').update(key).digest('hex'))
  }

  /** Whom a key's hash still stands for. */
  operatorOf(hash: string): Operator | undefined {
    this.#refresh()
    const asked = Buffer.from(hash, 'hex')
    let found: Operator | undefined
    for (const { hash, caller, agentType } of this.#keys) {
      const isIt = timingSafeEqual(Buffer.from(hash, 'hex'), asked)
      if (isIt && agentType === undefined) found = { caller, hash }
    }
    return found
  }

  #refresh(): void {
    try {
      const { mtimeMs, size, ino } = statSync(this.#file)
      const version = `${mtimeMs} ${size} ${ino}`
      if (version === this.#readAt) return
      this.#keys = KeyList.parse(JSON.parse(readFileSync(this.#file, 'utf8')))
      this.#readAt = version
    } catch (cause) {
      this.#keys = []
      this.#readAt = ''
      const code = (cause as NodeJS.ErrnoException).code
      const why = code ? `cannot be read: ${code}` : 'expected a JSON list of {hash, caller, tenant}'
      throw new ConfigError([`API keys file ${this.#file}: ${why}`])
    }
  }
}
