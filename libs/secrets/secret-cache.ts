import type { CachedSecret } from './cached-secret.ts'
import type { SecretValue } from './secret-value.ts'

const MAX_ENTRIES = 4096

/** What Vault said last, by agent type and secret; the oldest of more than 4096 goes. */
export class SecretCache {
  readonly #entries = new Map<string, CachedSecret>()

  get(agentType: string, secret: string): CachedSecret | undefined {
    return this.#entries.get(keyOf(agentType, secret))
  }

  keep(agentType: string, secret: string, entry: CachedSecret): CachedSecret {
    const key = keyOf(agentType, secret)
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!)
    return entry
  }

  /** Of one secret, of one agent type, or all. */
  list(only: { agentType?: string; secret?: string } = {}) {
    return [...this.#entries].flatMap(([key, entry]) => {
      const [agentType, secret] = key.split('/') as [string, string]
      const isMeant = agentType === (only.agentType ?? agentType) && secret === (only.secret ?? secret)
      return isMeant ? [{ agentType, entry }] : []
    })
  }

  /** Takes entries out, and gives their values. */
  drop(only: { agentType?: string; secret?: string }): SecretValue[] {
    const dropped = this.list(only).map(({ entry }) => entry)
    for (const [key, entry] of this.#entries) if (dropped.includes(entry)) this.#entries.delete(key)
    return dropped.flatMap((entry) => ('value' in entry ? [entry.value] : []))
  }
}

/** Names the entry of a secret for an agent type; neither name has a slash. */
export const keyOf = (agentType: string, secret: string): string => `${agentType}/${secret}`
/** True for a key of the secret. */
export const isOf = (key: string, secret: string): boolean => key.endsWith(`/${secret}`)
