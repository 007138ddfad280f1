import * as z from 'zod'
import { ConfigError, readCredential } from '#lib/runtime'
import type { VaultOptions } from './calls.ts'

/** Where Vault is, and by what certificates the two know each other: what a service's configuration says of it. */
export const VaultConfig = z.object({
  address: z.url({ protocol: /^https?$/ }),
  namespace: z.string().optional(),
  /** PEM: the authority that signed Vault's certificate (default: Node's list), and our own certificate and key. */
  caFile: z.string().optional(),
  certFile: z.string().optional(),
  keyFile: z.string().optional(),
})
export type VaultConfig = z.infer<typeof VaultConfig>

/** The same with what its files hold. @throws ConfigError */
export function vaultOptions({ address, namespace, caFile, certFile, keyFile }: VaultConfig): VaultOptions {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new ConfigError(['TB_VAULT_CERT_FILE and TB_VAULT_KEY_FILE: expected both or neither'])
  return { address, namespace, ca: read(caFile), cert: read(certFile), key: read(keyFile) }
}

const read = (file: string | undefined) => (file === undefined ? undefined : readCredential(file))
