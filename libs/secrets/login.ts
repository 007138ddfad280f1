import {
  isVaultError,
  type VaultAuth,
  type VaultClient,
  type VaultNames,
  type VaultService,
} from '#lib/vault'
import { SecretIdRefusedError } from './errors.ts'

/** How a sidecar becomes someone to Vault. */
export interface Login {
  /** @throws SecretIdRefusedError, VaultError */
  logIn(): Promise<VaultAuth>
  /** The token is this sidecar's alone, and ends with it. False: another program made it, and ends it. */
  readonly ownsToken: boolean
}

export interface WrappedLoginOptions {
  vault: Pick<VaultClient, 'wrapLookup' | 'unwrap' | 'approleLogin'>
  names: VaultNames
  roleId: string
  /** The single-use token that holds the secret-id. */
  wrappedSecretId: string
  /** Whose secret-id it must be. Default: the sidecar's. */
  service?: VaultService
}

/**
 * By AppRole, with a wrapped secret-id. Before unwrapping, the token's origin is compared with our own role's path: a
 * token that someone put in its place (holding a secret-id of another role) shows there, and one that was used shows too.
 */
export function wrappedLogin({
  vault,
  names,
  roleId,
  wrappedSecretId,
  service = 'sidecar',
}: WrappedLoginOptions): Login {
  const expected = service === 'sidecar' ? names.sidecarSecretId : names.rotatorSecretId
  return {
    ownsToken: true,
    async logIn() {
      const { creationPath } = await vault.wrapLookup(wrappedSecretId).catch(refuseWhenUsed)
      if (creationPath !== expected)
        throw new SecretIdRefusedError(`it was made at ${creationPath}, expected ${expected}`)
      const { secret_id: secretId } = await vault.unwrap(wrappedSecretId).catch(refuseWhenUsed)
      if (typeof secretId !== 'string') throw new SecretIdRefusedError('it holds no secret_id')
      return vault.approleLogin({ roleId, secretId })
    },
  }
}

export interface KubernetesLoginOptions {
  vault: Pick<VaultClient, 'kubernetesLogin'>
  role: string
  /** Where the auth method is mounted: `kubernetes`. */
  mount: string
  /** The service account's token, as Kubernetes has projected it last. */
  jwt: () => string
}

/** By the service account of the pod: nothing is handed over, and every start may log in by itself. */
export const kubernetesLogin = ({ vault, role, mount, jwt }: KubernetesLoginOptions): Login => ({
  ownsToken: true,
  logIn: () => vault.kubernetesLogin(mount, { role, jwt: jwt() }),
})

/** With a token that another program, such as Vault Agent, keeps in a file. */
export const tokenLogin = (vault: Pick<VaultClient, 'renewSelf'>, token: () => string): Login => ({
  ownsToken: false,
  // Asks how long it lives, by giving it more: it must be one that can be renewed.
  logIn: () => vault.renewSelf(token()),
})

function refuseWhenUsed(error: unknown): never {
  if (isVaultError(error, 'badRequest', 'denied', 'notFound'))
    throw new SecretIdRefusedError('it was used already, or has expired')
  throw error
}
