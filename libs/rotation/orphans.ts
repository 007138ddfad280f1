import { maskKeyId } from './record.ts'
import { inTime, keyNameOf, rotationOf, type Work } from './work.ts'

/**
 * Ends every key that was made for the rotation under way and is not the one on record: its value is lost, as a provider
 * shows it once. What is live or was live before is left alone whatever it is called.
 */
export async function removeMade(work: Work): Promise<void> {
  const { id, keyId, old } = rotationOf(work)
  const name = keyNameOf(work, id)
  const listed = await list(work, name)
  const kept = [keyId, old?.keyId, await liveKeyId(work)]
  for (const key of listed)
    if (key.name === name && !kept.includes(key.id)) await end(work, key.id, 'its value was lost')
}

/**
 * Ends every key of our making that is not live. One that carries the secret's name and no id of ours may be live
 * elsewhere, under another Vault: operators are told, and it stays.
 */
export async function sweep(work: Work): Promise<void> {
  const { secret, record, raise } = work
  const kept = await liveKeyId(work)
  if (kept === undefined) return
  for (const { id, name } of await list(work, secret.keyPrefix)) {
    if (id === kept) continue
    if (record.intents.includes(name.slice(secret.keyPrefix.length)))
      await end(work, id, 'made by a call that was given up')
    else
      await raise('orphan-key-found', 'warning', {
        secret: secret.name,
        key: maskKeyId(id)!,
        left: 'it is of no rotation on record, so another cluster may use it',
      })
  }
}

/** The id of the key that is live; undefined when nobody can tell. */
async function liveKeyId({ secret, store, ...work }: Work): Promise<string | undefined> {
  const live = await store.live(secret.name)
  if (!live || live.keyId !== undefined) return live?.keyId
  return identify({ secret, store, ...work }, live.value)
}

/** Whose id a value is, as far as the provider can tell. */
export async function identify(work: Work, value: string): Promise<string | undefined> {
  const { provider } = work.secret
  return provider.identify && inTime(work, 'identify', (signal) => provider.identify!(value, signal))
}

const list = (work: Work, prefix: string) =>
  inTime(work, 'list', (signal) => work.secret.provider.findOrphans(prefix, signal))

async function end(work: Work, id: string, why: string): Promise<void> {
  const { secret, raise } = work
  await inTime(work, 'revoke', (signal) => secret.provider.revoke(id, signal))
  await raise('orphan-key-found', 'warning', { secret: secret.name, key: maskKeyId(id)!, removed: why })
}
