import { rm } from 'node:fs/promises'
import type { Log } from '#lib/runtime'
import { type LoginConfig, loginOf, OwnToken } from '#lib/secrets'
import type { VaultClient, VaultNames } from '#lib/vault'
import type { ReadSecret } from './providers.ts'

/** Logs the rotator in. @throws ConfigError, SecretIdRefusedError, VaultError */
export async function openOwnToken(
  config: LoginConfig,
  { vault, names, log }: { vault: VaultClient; names: VaultNames; log: Log },
): Promise<OwnToken> {
  const login = loginOf(config, { vault, names, service: 'rotator' })
  const token = await OwnToken.open({ vault, login, log, service: 'rotator' })
  if (config.secretIdFile) await rm(config.secretIdFile, { force: true })
  return token
}

/** Reads a secret with the rotator's own token: what it makes keys with may change too. */
export function secretReader(parts: { vault: VaultClient; names: VaultNames; token: OwnToken }): ReadSecret {
  const { vault, names, token } = parts
  return async (secret) => {
    const { data } = await token.use((own) => vault.kvRead(own, names.secret(secret)))
    return String(data['value'])
  }
}

/** Resolves when the token has ended for good: only a new process with a new secret-id helps then. */
export function tokenLost({ lost }: OwnToken): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  if (lost.aborted) resolve('identity-lost')
  lost.addEventListener('abort', () => resolve('identity-lost'), { once: true })
  return promise
}
