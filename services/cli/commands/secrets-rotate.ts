import { UsageError } from '../errors.ts'
import { staticSecret } from '../secrets/declared.ts'
import { historyText, rotationsOf } from '../secrets/rotations.ts'
import { scheduleText } from '../secrets/schedule-text.ts'
import { RotatorOperator } from '../secrets/rotator.ts'
import { show } from '../secrets/show.ts'
import { checkValue, readValue, type ValueFlags } from '../secrets/value.ts'
import { openVaultTarget, type VaultOptions } from '../vault-target.ts'

/** In place of a schedule: that of the cluster file again. */
const OF_THE_FILE = 'cluster-file'

/** Options of `rotate`, as typed. */
export interface RotateOptions extends VaultOptions, ValueFlags {
  name: string
  now?: boolean
  revokeOld?: boolean
  schedule?: string
  dryRun?: boolean
  keyId?: string
}
export interface RotationsOptions extends VaultOptions {
  name?: string
}

/** Asks for a rotation now, or says when there shall be one. */
export async function rotate(options: RotateOptions): Promise<void> {
  checkFlags(options)
  await using target = await openVaultTarget(options)
  const { name, provider } = staticSecret(target.cluster, options.name)
  const rotator = new RotatorOperator(target)
  if (options.schedule !== undefined) {
    const every = options.schedule === OF_THE_FILE ? null : options.schedule
    const view = await rotator.schedule(name, every)
    return show(options, view, [`${name}: rotated ${scheduleText(view)}`])
  }
  const { revokeOld = false, dryRun = false } = options
  const supplied = options.value !== undefined || options.valueFile !== undefined
  const answer = supplied ? await supply() : await rotator.rotate({ secret: name, revokeOld, dryRun })
  const head = answer.refused
    ? `${name} is not rotated: ${answer.refused}`
    : answer.accepted
      ? `${name}: asked for; see threadbound rotations --name ${name}`
      : `${name}: this would be done`
  show(options, { name, ...answer }, [head, ...answer.steps.map((step, at) => `  ${at + 1} ${step}`)])
  if (answer.refused) process.exitCode = 1

  async function supply() {
    const value = await readValue(options, name)
    checkValue(value, { provider, force: options.force === true })
    const { keyId } = options
    return rotator.supply({ secret: name, value, ...(keyId === undefined ? {} : { keyId }) })
  }
}

/** Shows state and history of rotations: what was done when, by whom, to which key. */
export async function rotations(options: RotationsOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const only = options.name === undefined ? undefined : staticSecret(target.cluster, options.name).name
  const all = await rotationsOf(target)
  const shown = all.filter(({ secret }) => only === undefined || secret === only)
  const none =
    only === undefined ? 'the cluster file rotates no secret' : `the cluster file has no rotate for ${only}`
  const text = shown.map((view) => historyText(view, Date.now())).join('\n\n')
  show(options, shown, [text || none])
}

function checkFlags({ schedule, now, revokeOld, dryRun, value, valueFile, keyId }: RotateOptions): void {
  const supplies = value !== undefined || valueFile !== undefined
  if (schedule !== undefined && (now || revokeOld || dryRun || supplies))
    throw new UsageError(
      '--schedule is for later: expected none of --now, --revoke-old, --dry-run, --value beside it',
    )
  if (supplies && (dryRun || revokeOld))
    throw new UsageError(
      'a new value is supplied for real: expected no --dry-run and no --revoke-old beside it',
    )
  if (keyId !== undefined && !supplies)
    throw new UsageError('--key-id names the key of --value or --value-file')
}
