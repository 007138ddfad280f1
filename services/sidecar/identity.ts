import { rm } from 'node:fs/promises'
import { type Log, readCredential } from '#lib/runtime'
import { SidecarIdentity } from '#lib/secrets'
import type { VaultClient, VaultNames } from '#lib/vault'
import { keepAccessors, keptAccessors } from './accessor-file.ts'

export interface IdentityFiles {
  roleIdFile: string
  /** Holds a wrapping token. Deleted once Vault has taken it: it works once. */
  secretIdFile: string
  /** Accessors of the tokens of this sidecar and of those before it that are not known to be gone. */
  accessorFile?: string | undefined
}

/**
 * Logs the sidecar in with what its files hold, and ends the token of the one before, which may have been killed.
 * @throws ConfigError, SecretIdRefusedError, VaultError
 */
export async function openIdentity(
  { roleIdFile, secretIdFile, accessorFile }: IdentityFiles,
  options: { vault: VaultClient; names: VaultNames; log: Log },
): Promise<SidecarIdentity> {
  const identity = await SidecarIdentity.open({
    ...options,
    roleId: readCredential(roleIdFile),
    wrappedSecretId: readCredential(secretIdFile),
  })
  await rm(secretIdFile, { force: true })
  if (accessorFile) await succeed(identity, accessorFile, options.log)
  return identity
}

/** Both accessors are kept until the predecessor has ended: this start may be the next one that is killed. */
async function succeed(identity: SidecarIdentity, file: string, log: Log): Promise<void> {
  const before = keptAccessors(file)
  keepAccessors(file, [...before, identity.accessor])
  for (const accessor of before) {
    const found = await identity.endPredecessor(accessor)
    if (found === 'ended')
      log.warn({}, 'a sidecar before this one was killed; its tokens and leases are revoked')
    if (found === 'not-ours') log.error({ file }, 'an accessor is not of our role: nothing was revoked')
  }
  keepAccessors(file, [identity.accessor])
}

/** Resolves when the identity is lost: only a new process with a new secret-id helps then. */
export function identityLost({ lost }: SidecarIdentity): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  if (lost.aborted) resolve('identity-lost')
  lost.addEventListener('abort', () => resolve('identity-lost'), { once: true })
  return promise
}
