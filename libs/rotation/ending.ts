import { messageOf } from '#lib/runtime'
import { KeyRefusedError, ProviderFailedError } from './errors.ts'
import { graceMsOf } from './grace.ts'
import { sweep } from './orphans.ts'
import { maskKeyId } from './record.ts'
import { SUPPLIED } from './store.ts'
import { type Change, inTime, retrying, rotationOf, type Work } from './work.ts'

/** Tells the sidecars. A message may be lost: their caches end within the grace all the same. */
export async function announce(work: Work): Promise<Change> {
  const { secret, log, raise } = work
  const rotation = rotationOf(work)
  await work.announce(rotation.generation!).catch((error: unknown) => {
    log.warn({ secret: secret.name, error: messageOf(error) }, 'promotion not announced')
  })
  await clearTaken(work)
  if (oldKeyOf(work) !== undefined) return { state: 'grace', failure: null, key: rotation.old!.keyId }
  if (rotation.old === null) return { state: 'revoked', failure: null, note: 'there was no key before' }
  if (!secret.provider.endsKeys) return { state: 'revoked', failure: null }
  await raise('old-key-unknown', 'warning', { secret: secret.name, generation: `${rotation.old.generation}` })
  return { state: 'revoked', failure: null, note: 'nobody can tell whose the old value is: not ended' }
}

/** Looks whether the old key is still used; turns it off where that can be undone, else ends it. */
export async function leaveGrace(work: Work): Promise<Change> {
  const { provider } = work.secret
  const rotation = rotationOf(work)
  const id = oldKeyOf(work)
  const isHurried = rotation.revokeOld || work.record.requested?.revokeOld === true
  if (id === undefined) return { state: 'revoked', failure: null }
  if (!isHurried && (await isStillUsed(work, id)) && !rotation.extended) return extended(work, id)
  if (isHurried || !provider.disable) return revoke(work)
  await confirmAlive(work)
  await inTime(work, 'disable', (signal) => provider.disable!(id, signal))
  const disabledUntil = work.clock.now() + work.limits.soakMs
  return { state: 'disabled', rotation: { ...rotation, disabledUntil }, failure: null, key: id }
}

/** Ends the old key. From here on there is no way back. */
export async function revoke(work: Work): Promise<Change> {
  const { provider } = work.secret
  const id = oldKeyOf(work)
  if (id === undefined) return { state: 'revoked', failure: null, key: null }
  await confirmAlive(work)
  await inTime(work, 'revoke', (signal) => provider.revoke(id, signal))
  return { state: 'revoked', failure: null, key: id }
}

/** Sees that the old key is dead, and that of our making no key but the live one is left, nor any value that waits. */
export async function finish(work: Work): Promise<Change> {
  const { secret } = work
  await confirmDead(work)
  await clearTaken(work)
  if (secret.provider.endsKeys) await sweep(work)
  return { state: 'idle', rotation: null, failure: null, key: rotationOf(work).keyId ?? null }
}

/** Removes the value that waited for this rotation; one that an operator has supplied since waits for the next. */
async function clearTaken({ secret, store }: Work): Promise<void> {
  const left = await store.pending(secret.name)
  if (left && left.rotation !== SUPPLIED) await store.clearPending(secret.name)
}

/** The key that was replaced, where it is known, can be ended, and is not the one that is live. */
function oldKeyOf(work: Work): string | undefined {
  const { old, keyId } = rotationOf(work)
  const isOther = old?.keyId !== undefined && old.keyId !== null && old.keyId !== keyId
  return work.secret.provider.endsKeys && isOther ? old.keyId! : undefined
}

/** The new key may have been ended by others since it was tried: then the old one is all that is left. */
async function confirmAlive(work: Work): Promise<void> {
  const { secret, store } = work
  const { id, keyId } = rotationOf(work)
  const live = await store.live(secret.name)
  if (live?.rotation !== id || keyId === undefined) return
  const key = { id: keyId, value: live.value }
  await inTime(work, 'verify', (signal) => secret.provider.verify(key, signal)).catch((cause: unknown) => {
    if (!(cause instanceof KeyRefusedError)) throw cause
    throw new ProviderFailedError('verify', 'the new key is refused by now: the old one stays', { cause })
  })
}

async function confirmDead(work: Work): Promise<void> {
  const { secret, store, limits } = work
  const id = oldKeyOf(work)
  const old = id === undefined ? undefined : await store.live(secret.name, rotationOf(work).old!.generation)
  if (id === undefined || !old) return
  await retrying(work, limits.confirmMs, async () => {
    const tried = inTime(work, 'verify', (signal) => secret.provider.verify({ id, value: old.value }, signal))
    const isRefused = await tried.then(
      () => false,
      (error: unknown) => error instanceof KeyRefusedError || Promise.reject(error as Error),
    )
    if (!isRefused) throw new ProviderFailedError('revoke', 'the old key is still accepted')
  })
}

/** A use after everyone who has reached Vault has the new value. */
async function isStillUsed(work: Work, id: string): Promise<boolean> {
  const { secret, raise } = work
  const { provider, holders } = secret
  if (!provider.lastUsed) return false
  const use = await inTime(work, 'last use', (signal) => provider.lastUsed!(id, signal))
  const settledAt = rotationOf(work).graceUntil! - holders.staleMs - holders.skewMs
  if (use.at === null || use.at < settledAt) return false
  await raise('old-key-in-use', 'warning', {
    secret: secret.name,
    key: maskKeyId(id)!,
    consumer: use.by ?? `one of ${secret.consumers.join(', ') || 'none that the cluster file names'}`,
    'last-used': new Date(use.at).toISOString(),
  })
  return true
}

function extended(work: Work, id: string): Change {
  const rotation = rotationOf(work)
  const graceUntil = work.clock.now() + graceMsOf(work.secret.holders)
  return {
    state: 'grace',
    rotation: { ...rotation, graceUntil, extended: true },
    failure: null,
    key: id,
    note: 'the old key is still used: grace extended once',
  }
}
