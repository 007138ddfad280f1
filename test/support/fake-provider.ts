import type { Clock } from '#lib/runtime'
import { type CreateRequest, KeyRefusedError, type ProviderKey, type RotationProvider } from '#lib/rotation'
import { FaultPoints } from './fault-points.ts'

interface FakeKey {
  name: string
  value: string
  isOff: boolean
  /** From when on it is known everywhere. */
  knownAt: number
  lastUsedAt: number | null
}

/** An account at a provider: its keys, shared by all who reach it. */
export class FakeAccount {
  readonly keys = new Map<string, FakeKey>()
  readonly created: string[] = []
  readonly clock: Clock
  /** How long a new key is refused. */
  propagationMs = 0
  #count = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  add(name: string): ProviderKey {
    const id = `key_${String(++this.#count).padStart(6, '0')}`
    const value = `value-of-${id}`
    const knownAt = this.clock.now() + this.propagationMs
    this.keys.set(id, { name, value, isOff: false, knownAt, lastUsedAt: null })
    this.created.push(name)
    return { id, value }
  }

  accepts(value: unknown): boolean {
    const key = [...this.keys.values()].find((one) => one.value === value)
    return key !== undefined && !key.isOff && this.clock.now() >= key.knownAt
  }
}

/** The provider as one process sees it. `over`: what it does otherwise. */
export function fakeProvider(
  account: FakeAccount,
  { points = new FaultPoints(), over = {} }: { points?: FaultPoints; over?: Partial<RotationProvider> } = {},
): RotationProvider {
  const { keys } = account
  return {
    account: 'fake/one',
    endsKeys: true,
    create: ({ name }: CreateRequest) => points.around('create', () => account.add(name)),
    verify: ({ value }) =>
      points.around('verify', () => {
        if (!account.accepts(value)) throw new KeyRefusedError('key')
      }),
    lastUsed: (id) => points.around('last use', () => ({ at: keys.get(id)?.lastUsedAt ?? null })),
    disable: (id) =>
      points.around('disable', () => {
        const key = keys.get(id)
        if (key) key.isOff = true
      }),
    revoke: (id) => points.around('revoke', () => void keys.delete(id)),
    findOrphans: (prefix) =>
      points.around('list', () =>
        [...keys].flatMap(([id, { name }]) => (name.startsWith(prefix) ? [{ id, name }] : [])),
      ),
    identify: (value) =>
      points.around('identify', () => [...keys].find(([, key]) => key.value === value)?.[0]),
    ...over,
  }
}
