import type { Secret } from '#lib/cluster'
import { RotationStore, type RotationView, viewOf } from '#lib/rotation'
import { ageText } from './age.ts'
import { scheduleText } from './schedule-text.ts'
import { facts, table, terminalWidth } from '../terminal.ts'
import { openVaultTarget, type VaultTarget } from '../vault-target.ts'

/** What is known of the rotation of each secret with `rotate`, from the records in Vault: also while no rotator runs. */
export async function rotationsOf({
  client,
  token,
  cluster,
  desired,
}: Pick<VaultTarget, 'client' | 'token' | 'cluster' | 'desired'>): Promise<RotationView[]> {
  const store = new RotationStore({ vault: client, names: desired.names, use: (call) => call(token) })
  const rotated = Object.values(cluster.secrets).filter(isRotated)
  return Promise.all(
    rotated.map(async ({ name, rotate }) => viewOf((await store.load(name)).record, { every: rotate.every })),
  )
}

/** The same of the cluster that runs on a data directory. @throws CommandError, VaultError */
export async function runningRotations({ data }: { data: string }): Promise<RotationView[]> {
  await using target = await openVaultTarget({ data })
  return await rotationsOf(target)
}

/** State and history of one, the newest step last. */
export function historyText(view: RotationView, now: number): string {
  const { secret, history } = view
  const head = facts([['secret', secret], ...rotationFacts(view, now)])
  if (history.length === 0) return `${head}\n\nit was never rotated`
  const header = ['at', 'rotation', 'state', 'who', 'generation', 'key', 'note']
  const rows = history.map(({ at, rotation, state, who, generation, key, note }) => [
    new Date(at).toISOString(),
    rotation,
    state,
    who,
    generation,
    key,
    note ?? '',
  ])
  return `${head}\n\n${table(header, rows, { figures: ['generation'], width: terminalWidth() })}`
}

/** What `status` says of it, too. */
export function rotationFacts(view: RotationView, now: number): [name: string, value: string | undefined][] {
  const { state, rotatedAt, nextAt, graceUntil, requestedBy, failure } = view
  return [
    ['rotation', state],
    ['schedule', scheduleText(view)],
    ['last rotation', rotatedAt === null ? 'never' : `${ageText(now - rotatedAt)} ago`],
    ['next rotation', requestedBy === null ? nextText(nextAt, now) : `now, asked for by ${requestedBy}`],
    ['both keys valid', graceUntil === null ? undefined : `until ${new Date(graceUntil).toISOString()}`],
    ['failed', failure ? failureText(failure) : undefined],
  ]
}

function nextText(nextAt: number | null, now: number): string {
  if (nextAt === null) return 'not planned yet: no rotator has looked'
  if (nextAt <= now) return 'due'
  return `${new Date(nextAt).toISOString()}, in ${ageText(nextAt - now)}`
}

function failureText({ from, reason, count, retryAt }: NonNullable<RotationView['failure']>): string {
  const times = count === 1 ? 'once' : `${count} times`
  return `${times} after ${from}: ${reason}; tried again at ${new Date(retryAt).toISOString()}`
}

type Rotated = Secret & Required<Pick<Secret, 'rotate'>>
const isRotated = (secret: Secret): secret is Rotated => secret.rotate !== undefined
