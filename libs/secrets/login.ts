import { isVaultError, type VaultAuth, type VaultClient, type VaultNames } from '#lib/vault'
import { SecretIdRefusedError } from './errors.ts'

/** What a login needs. */
export interface LoginOptions {
  vault: Pick<VaultClient, 'wrapLookup' | 'unwrap' | 'approleLogin'>
  names: VaultNames
  roleId: string
  /** The single-use token that holds the secret-id. */
  wrappedSecretId: string
}

/**
 * Logs in with a wrapped secret-id. Before unwrapping, the token's origin is compared with our own role's path: a
 * token that someone put in its place (holding a secret-id of another role) shows there, and one that was used shows too.
 * @throws SecretIdRefusedError, VaultError
 */
export async function loginWrapped({
  vault,
  names,
  roleId,
  wrappedSecretId,
}: LoginOptions): Promise<VaultAuth> {
  const { creationPath } = await vault.wrapLookup(wrappedSecretId).catch(refuseWhenUsed)
  if (creationPath !== names.sidecarSecretId)
    throw new SecretIdRefusedError(`it was made at ${creationPath}, expected ${names.sidecarSecretId}`)
  const { secret_id: secretId } = await vault.unwrap(wrappedSecretId).catch(refuseWhenUsed)
  if (typeof secretId !== 'string') throw new SecretIdRefusedError('it holds no secret_id')
  return vault.approleLogin({ roleId, secretId })
}

function refuseWhenUsed(error: unknown): never {
  if (isVaultError(error, 'badRequest', 'denied', 'notFound'))
    throw new SecretIdRefusedError('it was used already, or has expired')
  throw error
}
