import { type Secret, secretKind } from '#lib/cluster'
import type { RotationView } from '#lib/rotation'
import type { StoredSecret } from '#lib/vault'
import { consumersOf, kindOf } from './declared.ts'
import type { Cached, Reading } from './sidecar.ts'
import { facts } from '../terminal.ts'
import { ageText } from './age.ts'
import { rotationFacts } from './rotations.ts'
import type { VaultTarget } from '../vault-target.ts'

/** What is known of a secret; never its value. */
export interface SecretStatus {
  name: string
  provider: string
  kind: string
  /** Of the latest value; null when there never was one, undefined for one that is leased. */
  generation?: number | null
  isPresent?: boolean
  /** By an operator: until the next generation nobody is given it. */
  isRevoked?: boolean
  writtenAt?: string
  ageMs?: number
  /** As the cluster file says it. */
  rotate?: string
  /** State, schedule in force and next run, where it is rotated. */
  rotation?: Omit<RotationView, 'secret' | 'history'>
  /** Open in Vault; null when the token may not count them. */
  leases?: number | null
  consumers: string[]
  /** What the sidecar keeps; null when there is none to ask. */
  cache?: Cached[] | null
}

/** The part that comes from the cluster file and from Vault's metadata. */
export function statusOf(
  { cluster }: VaultTarget,
  secret: Secret,
  stored: StoredSecret | undefined,
): SecretStatus {
  const { name, provider, rotate } = secret
  const value =
    secretKind(secret) === 'database'
      ? {}
      : {
          generation: stored?.generation ?? null,
          isPresent: stored?.isPresent ?? false,
          isRevoked: stored?.isRevoked ?? false,
          ...(stored && {
            writtenAt: new Date(stored.writtenAt).toISOString(),
            ageMs: Date.now() - stored.writtenAt,
          }),
        }
  return {
    name,
    provider,
    kind: kindOf(secret),
    ...value,
    ...(rotate && { rotate: rotate.every }),
    consumers: consumersOf(cluster, name),
  }
}

/** Everything that is known of one, a line each. */
export function statusText(one: SecretStatus): string {
  return facts([
    ['name', one.name],
    ['provider', one.provider],
    ['kind', one.kind],
    ['generation', one.generation === undefined ? undefined : generationText(one)],
    ['age', one.ageMs === undefined ? undefined : `${ageText(one.ageMs)}, written ${one.writtenAt}`],
    ...rotationLines(one),
    ['leases', one.leases === null ? 'unknown: the token may not count them' : one.leases],
    ['consumers', one.consumers.join(', ') || 'no agent type'],
    ['cache', one.cache === undefined ? undefined : cacheText(one.cache)],
  ])
}

function rotationLines({ name, rotation, generation }: SecretStatus) {
  if (rotation) return rotationFacts({ secret: name, history: [], ...rotation }, Date.now())
  const why =
    generation === undefined ? 'each attempt has a user of its own' : 'the cluster file has no rotate'
  return [['rotation', `none: ${why}`] as [string, string]]
}

/** Generation in a table or a line. */
export function generationText({ generation, isPresent, isRevoked }: SecretStatus): string {
  if (generation === undefined) return '-'
  if (generation === null) return 'no value'
  if (!isPresent) return `${generation}, deleted`
  return isRevoked ? `${generation}, revoked` : String(generation)
}

/** What the sidecar keeps, in a line. */
export function cacheText(cache: SecretStatus['cache']): string {
  if (cache === undefined) return '-'
  if (cache === null) return 'unknown: no sidecar to ask'
  if (cache.length === 0) return 'empty'
  return cache
    .map(({ agentType, state, generation, freshForMs }) => {
      const what = state === 'value' ? `generation ${generation}` : state
      return `${agentType}: ${what}, ${freshForMs > 0 ? `for ${ageText(freshForMs)}` : 'asked again at its next use'}`
    })
    .join('; ')
}

/** What agent types find after a refresh, a line each. */
export function readingLines(readings: Reading[]): string[] {
  return readings.map(({ agentType, generation, error }) =>
    error === undefined ? `${agentType}: generation ${generation} from now on` : `${agentType}: ${error}`,
  )
}

/** A value so that whoever knows it recognises it, and nobody else gains much. */
export function masked(value: string): string {
  return value.length < 24 ? '•'.repeat(8) : `${value.slice(0, 3)}${'•'.repeat(8)}${value.slice(-2)}`
}
