import { secretKind } from '#lib/cluster'
import type { RotationView } from '#lib/rotation'
import { isVaultError, leasesOf, listSecrets } from '#lib/vault'
import { declaredSecret } from '../secrets/declared.ts'
import { ageText } from '../secrets/age.ts'
import { generationText, type SecretStatus, statusOf, statusText } from '../secrets/report.ts'
import { rotationsOf } from '../secrets/rotations.ts'
import { show } from '../secrets/show.ts'
import { SidecarOperator } from '../secrets/sidecar.ts'
import { table, terminalWidth } from '../terminal.ts'
import { openVaultTarget, type VaultOptions, type VaultTarget } from '../vault-target.ts'

/** Options of `status`, as typed. */
export interface StatusOptions extends VaultOptions {
  name?: string
}

/** Shows every secret: what the cluster file declares, and what lies in Vault without. */
export async function list(options: VaultOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const all = await statusOfAll(target)
  if (options.json) return show(options, all, [])
  const header = ['secret', 'provider', 'kind', 'generation', 'age', 'agent types']
  const rows = all.map((one) => [
    one.name,
    one.provider,
    one.kind,
    generationText(one),
    ageText(one.ageMs),
    one.consumers.join(', '),
  ])
  show(options, all, [table(header, rows, { width: terminalWidth() })])
}

/** Shows what is known of one secret, or of each: generation, age, next rotation, leases, consumers, cache. */
export async function status(options: StatusOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { cluster } = target
  const only = options.name === undefined ? undefined : declaredSecret(cluster, options.name).name
  const all = (await statusOfAll(target)).filter(({ name }) => only === undefined || name === only)
  const [cache, rotations] = await Promise.all([cacheOf(target), rotationsOf(target)])
  const whole = await Promise.all(
    all.map(async (one) => ({
      ...one,
      ...rotationOf(rotations, one),
      ...(await runtimeOf(target, one, cache)),
    })),
  )
  if (only === undefined) return show(options, whole, [whole.map(statusText).join('\n\n')])
  show(options, whole[0]!, [statusText(whole[0]!)])
}

/** Of the cluster file in its order, then of what lies in Vault without being there. */
async function statusOfAll(target: VaultTarget): Promise<SecretStatus[]> {
  const { client, token, cluster, desired } = target
  const stored = new Map((await listSecrets(client, token, desired.names)).map((one) => [one.name, one]))
  const declared = Object.values(cluster.secrets).map((secret) =>
    statusOf(target, secret, stored.get(secret.name)),
  )
  const others = [...stored.values()].filter(({ name }) => !Object.hasOwn(cluster.secrets, name))
  const undeclared = { provider: '-', deliver: 'value' } as const
  return [
    ...declared,
    ...others.map((one) => ({
      ...statusOf(target, { name: one.name, ...undeclared }, one),
      kind: 'not in the cluster file',
    })),
  ]
}

function rotationOf(rotations: RotationView[], { name }: SecretStatus): Pick<SecretStatus, 'rotation'> {
  const found = rotations.find(({ secret }) => secret === name)
  if (!found) return {}
  const { secret: _name, history: _history, ...rotation } = found
  return { rotation }
}

async function cacheOf({ operator }: VaultTarget) {
  if (!operator) return undefined
  return new SidecarOperator(operator).cache().catch(() => undefined)
}

async function runtimeOf(
  { client, token, cluster, desired }: VaultTarget,
  { name }: SecretStatus,
  cache: Awaited<ReturnType<typeof cacheOf>>,
): Promise<Pick<SecretStatus, 'leases' | 'cache'>> {
  const secret = cluster.secrets[name]
  if (!secret || secretKind(secret) === 'static') return { cache: cache ? (cache[name] ?? []) : null }
  const leases = leasesOf(client, token, { names: desired.names, name }).catch((error: unknown) => {
    if (isVaultError(error, 'denied')) return null
    throw error
  })
  return { leases: await leases }
}
