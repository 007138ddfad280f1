import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readAudit } from '#lib/audit'
import { CommandError } from '../errors.ts'
import { rotationsOf } from '../secrets/rotations.ts'
import { RotatorOperator } from '../secrets/rotator.ts'
import { openVaultTarget, type VaultTarget } from '../vault-target.ts'

const LOOK_EVERY_MS = 100
const PATIENCE_MS = 30_000

/** A key that changed in the middle of the demo's requests. */
export interface Rotated {
  secret: string
  /** The generation that is live since. */
  generation: number
}

/**
 * Has the one key that the demo's cluster rotates changed now. Gives when the new one is live; the old one stays valid for
 * as long as an attempt may hold it. @throws CommandError
 */
export async function rotateKey(data: string): Promise<Rotated> {
  await using target = await openVaultTarget({ data })
  const secret = Object.values(target.cluster.secrets).find(({ rotate }) => rotate)?.name
  if (secret === undefined) throw new CommandError('the demo cluster rotates no secret')
  const before = await generationOf(target, secret)
  await new RotatorOperator(target).rotate({ secret, revokeOld: false, dryRun: false })
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until;) {
    const generation = await generationOf(target, secret)
    if (generation > before) return { secret, generation }
    await delay(LOOK_EVERY_MS)
  }
  throw new CommandError(`${secret} was not rotated within ${PATIENCE_MS / 1000} s`)
}

/** The generation that its last rotation made live; 0 before the first. */
async function generationOf(target: VaultTarget, secret: string): Promise<number> {
  const view = (await rotationsOf(target)).find((one) => one.secret === secret)
  const promoted = view?.history.findLast(({ state }) => state === 'promoted')
  return promoted?.generation ?? 0
}

/** Which generations of which keys served each request, by request id, as the audit log has it: `openai-api-key 1`. */
export async function keysUsed(data: string): Promise<Map<string, string[]>> {
  const used = new Map<string, Set<string>>()
  for await (const { action, requestId, secret, generation } of readAudit(join(data, 'audit.log')))
    if ((action === 'model' || action === 'egress') && typeof requestId === 'string')
      used.getOrInsertComputed(requestId, () => new Set()).add(`${secret} ${generation}`)
  return new Map([...used].map(([id, keys]) => [id, [...keys]]))
}
