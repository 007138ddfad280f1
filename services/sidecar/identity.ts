import { rm } from 'node:fs/promises'
import { type Log, readCredential } from '#lib/runtime'
import { SidecarIdentity } from '#lib/secrets'
import type { VaultClient, VaultNames } from '#lib/vault'

export interface IdentityFiles {
  roleIdFile: string
  /** Holds a wrapping token. Deleted once Vault has taken it: it works once. */
  secretIdFile: string
}

/** Logs the sidecar in with what its files hold. @throws ConfigError, SecretIdRefusedError, VaultError */
export async function openIdentity(
  { roleIdFile, secretIdFile }: IdentityFiles,
  options: { vault: VaultClient; names: VaultNames; log: Log },
): Promise<SidecarIdentity> {
  const identity = await SidecarIdentity.open({
    ...options,
    roleId: readCredential(roleIdFile),
    wrappedSecretId: readCredential(secretIdFile),
  })
  await rm(secretIdFile, { force: true })
  return identity
}

/** Resolves when the identity is lost: only a new process with a new secret-id helps then. */
export function identityLost({ lost }: SidecarIdentity): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  if (lost.aborted) resolve('identity-lost')
  lost.addEventListener('abort', () => resolve('identity-lost'), { once: true })
  return promise
}
