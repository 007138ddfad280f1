import * as z from 'zod'
import type { KvEntry } from './answers.ts'
import type { VaultClient } from './client.ts'
import type { VaultNames } from './names.ts'

/** In KV's own notes on a secret: the last generation that nobody may be given any more. */
const NOTE = 'revoked-through'

const Noted = z.object({ custom_metadata: z.record(z.string(), z.string()).nullish() })

/**
 * Notes that a static secret's generations, up to this one, are for nobody: whoever reads one sees it, on every host. The
 * value stays, since ending its key at the provider takes it; a newer generation is not concerned.
 */
export async function markRevoked(
  client: VaultClient,
  token: string,
  { names, name, generation }: { names: VaultNames; name: string; generation: number },
): Promise<void> {
  const path = names.metadata(name)
  const { custom_metadata: before } = Noted.parse((await client.inventory.read(token, path)) ?? {})
  const custom_metadata = { ...before, [NOTE]: String(generation) }
  await client.inventory.write(token, path, { custom_metadata })
}

/** True for an entry that {@link markRevoked} is about. */
export function isMarkedRevoked({ version, notes }: Pick<KvEntry, 'version' | 'notes'>): boolean {
  return version <= Number(notes?.[NOTE] ?? 0)
}
