import * as z from 'zod'
import type { VaultClient } from './client.ts'
import { isName, type VaultNames } from './names.ts'
import { vaultPath } from './path.ts'
import { isMarkedRevoked } from './revoked-mark.ts'

/** What Vault says of a static secret beside its value. */
export interface StoredSecret {
  name: string
  /** The latest KV version; it counts on when a value was deleted. */
  generation: number
  /** When that was written, epoch milliseconds. */
  writtenAt: number
  /** False when the latest value was deleted or destroyed. */
  isPresent: boolean
  /** An operator has revoked it: it is there, and nobody is given it. */
  isRevoked: boolean
  /** Every version whose value Vault still has, deleted ones too. */
  versions: number[]
}

const Version = z.object({ created_time: z.string(), deletion_time: z.string(), destroyed: z.boolean() })
const Metadata = z.object({
  current_version: z.number(),
  versions: z.record(z.string(), Version),
  custom_metadata: z.record(z.string(), z.string()).nullish(),
})

/**
 * All static secrets of a cluster and environment, also those that no cluster file names. What others keep beside them
 * under a name that no secret can have is passed over.
 */
export async function listSecrets(
  client: VaultClient,
  token: string,
  names: VaultNames,
): Promise<StoredSecret[]> {
  const found = await client.inventory.names(token, names.secretsFolder)
  const stored = found.filter(isName).map((name) => storedSecret(client, token, { names, name }))
  return (await Promise.all(stored)).filter((one) => one !== undefined)
}

/** One of them; undefined when it never had a value. */
export async function storedSecret(
  client: VaultClient,
  token: string,
  { names, name }: { names: VaultNames; name: string },
): Promise<StoredSecret | undefined> {
  const answer = await client.inventory.read(token, names.metadata(name))
  if (!answer) return undefined
  const { current_version: generation, versions, custom_metadata: notes } = Metadata.parse(answer)
  const latest = versions[String(generation)]
  if (!latest) return undefined
  return {
    name,
    generation,
    writtenAt: Date.parse(latest.created_time),
    isPresent: latest.deletion_time === '' && !latest.destroyed,
    isRevoked: isMarkedRevoked({ version: generation, notes: notes ?? {} }),
    versions: Object.entries(versions).flatMap(([number, { destroyed }]) =>
      destroyed ? [] : Number(number),
    ),
  }
}

/**
 * Takes a secret away from everyone, all its versions: an older one could be read as well. Deleted ones can be brought back
 * with Vault's own tools, destroyed ones cannot. The generation counts on: a later value is newer than any before.
 */
export async function removeSecret(
  client: VaultClient,
  token: string,
  { names, stored, destroy }: { names: VaultNames; stored: StoredSecret; destroy: boolean },
): Promise<void> {
  const { cluster, environment } = names.scope
  const path = vaultPath('kv', destroy ? 'destroy' : 'delete', 'tb', cluster, environment, stored.name)
  if (stored.versions.length > 0) await client.inventory.write(token, path, { versions: stored.versions })
}

/** How many leases of a dynamic secret are open in Vault, whoever holds them. Needs sudo on `sys/leases/lookup/`. */
export async function leasesOf(
  client: VaultClient,
  token: string,
  { names, name }: { names: VaultNames; name: string },
): Promise<number> {
  const path = vaultPath('sys', 'leases', 'lookup', 'database', 'creds', names.database(name))
  return (await client.inventory.names(token, path)).length
}
