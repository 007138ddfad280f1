import { ConfigError, readCredential } from '#lib/runtime'
import type { VaultOptions } from '#lib/vault'

/** Where Vault is, and by what certificates the two know each other. */
export interface VaultConfig {
  address: string
  namespace?: string | undefined
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

/** The same with what its files hold. @throws ConfigError */
export function vaultOptions({ address, namespace, caFile, certFile, keyFile }: VaultConfig): VaultOptions {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new ConfigError(['TB_VAULT_CERT_FILE and TB_VAULT_KEY_FILE: expected both or neither'])
  return { address, namespace, ca: read(caFile), cert: read(certFile), key: read(keyFile) }
}

const read = (file: string | undefined) => (file === undefined ? undefined : readCredential(file))
