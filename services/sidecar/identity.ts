import { rm } from 'node:fs/promises'
import type { Log } from '#lib/runtime'
import { type LoginConfig, loginOf, SidecarIdentity } from '#lib/secrets'
import type { VaultClient, VaultNames } from '#lib/vault'
import { keepAccessors, keptAccessors } from './accessor-file.ts'

/** By what the sidecar logs in, and what it keeps of that. */
export interface IdentityConfig extends LoginConfig {
  /** Accessors of the tokens of this sidecar and of those before it that are not known to be gone. */
  accessorFile?: string | undefined
}

interface IdentityParts {
  vault: VaultClient
  names: VaultNames
  log: Log
}

/**
 * Logs the sidecar in, and ends the token of the one before, which may have been killed.
 * @throws ConfigError, SecretIdRefusedError, VaultError
 */
export async function openIdentity(config: IdentityConfig, parts: IdentityParts): Promise<SidecarIdentity> {
  const login = loginOf(config, parts)
  const identity = await SidecarIdentity.open({ ...parts, login })
  if (config.secretIdFile) await rm(config.secretIdFile, { force: true })
  if (config.accessorFile && login.ownsToken) await succeed(identity, config.accessorFile, parts.log)
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
