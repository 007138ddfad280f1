import * as z from 'zod'
import { PermanentError } from '#lib/runtime'
import type { VaultClient } from './client.ts'
import { vaultPath } from './path.ts'
import type { DesiredVault } from './policies.ts'

/** A path that we need is taken by something else. Nothing was changed. */
export class MountTakenError extends PermanentError {
  override readonly name = 'MountTakenError'
  constructor(path: string, found: string, expected: string) {
    super(`vault: ${path}/ is ${found}, expected ${expected}: this Vault uses the path for something else`)
  }
}

/** A mount or auth method that is not there yet. */
export interface MissingMount {
  kind: 'mount' | 'auth method'
  path: string
  type: string
  options?: Record<string, string>
}

/** What of the mounts and auth methods is missing. @throws MountTakenError */
export async function missingMounts(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<MissingMount[]> {
  const wanted: [MissingMount['kind'], 'mounts' | 'auth', DesiredVault['mounts']][] = [
    ['mount', 'mounts', desired.mounts],
    ['auth method', 'auth', desired.authMethods],
  ]
  const missing: MissingMount[] = []
  for (const [kind, table, mounts] of wanted) {
    const there = (await client.inventory.read(token, vaultPath('sys', table))) ?? {}
    for (const mount of mounts)
      if (!there[`${mount.path}/`]) missing.push({ kind, ...mount })
      else refuseOther(mount, there[`${mount.path}/`])
  }
  return missing
}

const Found = z.object({ type: z.string(), options: z.record(z.string(), z.string()).nullish() }).loose()

function refuseOther({ path, type, options }: DesiredVault['mounts'][number], answer: unknown): void {
  const found = Found.parse(answer)
  const version = found.type === 'kv' ? (found.options?.['version'] ?? '1') : undefined
  if (found.type === type && version === options?.['version']) return
  throw new MountTakenError(path, describe(found.type, version), describe(type, options?.['version']))
}

const describe = (type: string, version: string | undefined) =>
  `of type "${type}"${version ? ` version ${version}` : ''}`
