import { rm } from 'node:fs/promises'
import { ConfigError, type Log, readCredential } from '#lib/runtime'
import { kubernetesLogin, type Login, SidecarIdentity, tokenLogin, wrappedLogin } from '#lib/secrets'
import type { VaultClient, VaultNames } from '#lib/vault'
import { keepAccessors, keptAccessors } from './accessor-file.ts'

/** By what the sidecar logs in: one of AppRole, Kubernetes and token file. */
export interface IdentityConfig {
  roleIdFile?: string | undefined
  /** Holds a wrapping token. Deleted once Vault has taken it: it works once. */
  secretIdFile?: string | undefined
  kubernetesRole?: string | undefined
  kubernetesMount?: string | undefined
  kubernetesTokenFile?: string | undefined
  tokenFile?: string | undefined
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

function loginOf(config: IdentityConfig, { vault, names }: IdentityParts): Login {
  const { roleIdFile, secretIdFile, kubernetesRole: role, kubernetesTokenFile = '', tokenFile } = config
  const given = [secretIdFile, role, tokenFile].filter((one) => one !== undefined)
  if (given.length !== 1 || (secretIdFile !== undefined && roleIdFile === undefined))
    throw new ConfigError([
      'expected one login: TB_VAULT_ROLE_ID_FILE and TB_VAULT_SECRET_ID_FILE, or TB_VAULT_KUBERNETES_ROLE, or TB_VAULT_TOKEN_FILE',
    ])
  if (tokenFile) return tokenLogin(vault, () => readCredential(tokenFile))
  if (role) {
    const jwt = () => readCredential(kubernetesTokenFile)
    return kubernetesLogin({ vault, role, mount: config.kubernetesMount ?? 'kubernetes', jwt })
  }
  const [roleId, wrappedSecretId] = [readCredential(roleIdFile!), readCredential(secretIdFile!)]
  return wrappedLogin({ vault, names, roleId, wrappedSecretId })
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
