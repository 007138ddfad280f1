/**
 * The client of Vault (or OpenBao): node-vault over our own transport, and the policies that a cluster needs.
 * V1: every call names the token it acts with; the client holds none and reads no VAULT_* variable.
 * V2: no error holds a token, a header or a body.
 * V3: only idempotent calls are repeated; every call ends within its timeout.
 * V4: no two (cluster, environment, name) share a name in Vault; policies have exact paths only.
 */
export type {
  DatabaseCredentials,
  Health,
  KvEntry,
  LeaseInfo,
  TokenInfo,
  VaultAuth,
  WrapInfo,
  Wrapped,
} from './answers.ts'
export type { MountOptions, VaultAdmin } from './admin.ts'
export type { MadeSecretId, SecretIdInfo, VaultAppRoles } from './app-roles.ts'
export { AdminSecretError, type AdminUser, parseAdminUser } from './admin-secret.ts'
export {
  applyMounts,
  applyPolicies,
  connectDatabases,
  DatabaseRefusedError,
  issueWrappedSecretId,
  putSecret,
} from './apply.ts'
export type { VaultOptions } from './calls.ts'
export { type CreateTokenOptions, VaultClient } from './client.ts'
export { isVaultError, VaultError, type VaultErrorKind } from './errors.ts'
export type { VaultInventory } from './inventory.ts'
export { MountTakenError } from './mounts.ts'
export { VaultNameError, type VaultNames, vaultNames, type VaultScope, type VaultService } from './names.ts'
export { type VaultPath, vaultPath, VaultPathError } from './path.ts'
export { planVault, type VaultChange, type VaultPlan } from './plan.ts'
export { type DatabaseInput, type DesiredVault, planPolicies, type PolicyInput } from './policies.ts'
export { type ProofCell, type ProofFault, provePolicies, type VaultProof } from './proof.ts'
export { prunePolicies } from './prune.ts'
export { isMarkedRevoked, markRevoked } from './revoked-mark.ts'
export { type RotatedSecret } from './rotator-rights.ts'
export { leasesOf, listSecrets, removeSecret, type StoredSecret, storedSecret } from './stored-secrets.ts'
export { VaultConfig, vaultOptions } from './vault-config.ts'
