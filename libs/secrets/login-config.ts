import * as z from 'zod'
import { ConfigError, readCredential } from '#lib/runtime'
import type { VaultClient, VaultNames, VaultService } from '#lib/vault'
import { kubernetesLogin, type Login, tokenLogin, wrappedLogin } from './login.ts'

/** By what a service logs in to Vault: one of AppRole, Kubernetes and token file. */
export const LoginConfig = z.object({
  /** By AppRole: its role id, and a wrapping token of a secret-id, deleted once it was used. */
  roleIdFile: z.string().optional(),
  secretIdFile: z.string().optional(),
  /** In place of an AppRole: a role of Vault's Kubernetes auth method. */
  kubernetesRole: z.string().optional(),
  kubernetesMount: z.string().default('kubernetes'),
  kubernetesTokenFile: z.string().default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
  /** In place of both: a token that another program keeps there. */
  tokenFile: z.string().optional(),
})
export type LoginConfig = Partial<z.infer<typeof LoginConfig>>

/** The login that a configuration says. @throws ConfigError when it says none, or more than one */
export function loginOf(
  config: { [K in keyof LoginConfig]?: LoginConfig[K] | undefined },
  { vault, names, service = 'sidecar' }: { vault: VaultClient; names: VaultNames; service?: VaultService },
): Login {
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
  return wrappedLogin({ vault, names, roleId, wrappedSecretId, service })
}
