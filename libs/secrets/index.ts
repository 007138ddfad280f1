/**
 * Secrets on their way from Vault to an attempt: the sidecar's identity, reads, leases, grants and redaction.
 * S1: the sidecar's own token reads no secret; each read or lease goes through a token of the agent type.
 * S2: what is leased is trusted until asked at + ttl - margin, and revoked when its attempt ends.
 * S3: a value cannot be printed, and no error, log line or span holds one.
 * S4: a masker covers every byte of every form of a value, however its text was cut.
 */
export { type ChildToken } from './child-token.ts'
export {
  GrantRefusedError,
  type GrantRefusal,
  IdentityLostError,
  LeasesEndedError,
  SecretDeniedError,
  SecretIdRefusedError,
  SecretMalformedError,
  SecretNotFoundError,
  SecretRevokedError,
  SecretUnavailableError,
} from './errors.ts'
export { type Grant, type GrantClaim, GrantTable } from './grants.ts'
export { type IdentityOptions, type IdentityVault, type MintOptions, SidecarIdentity } from './identity.ts'
export { type Lease, LeaseSet, type LeaseSetOptions } from './lease-set.ts'
export {
  kubernetesLogin,
  type KubernetesLoginOptions,
  type Login,
  tokenLogin,
  wrappedLogin,
  type WrappedLoginOptions,
} from './login.ts'
export { type CacheState, type KeepTimes } from './cached-secret.ts'
export { OwnToken, type OwnTokenOptions } from './own-token.ts'
export { type ReaderOptions, type SecretRead, SecretReader } from './reader.ts'
export { LoginConfig, loginOf } from './login-config.ts'
export { maskJson } from './redaction/mask-json.ts'
export { MASK, Masker } from './redaction/masker.ts'
export { Patterns } from './redaction/patterns.ts'
export { SecretValue, SecretWipedError } from './secret-value.ts'
