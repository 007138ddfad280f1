/**
 * The dev Vault: the real HTTP API of HashiCorp Vault and OpenBao for what threadbound uses, for one machine;
 * in memory, or in a folder that is encrypted.
 * The same contract tests run against it and against a real server.
 *
 * V1: default deny. Every request but health, login and the look-up of a wrapping token is judged by policies.
 * V2: no token and no secret id is kept, only their SHA-256; they are compared in constant time.
 * V3: a lease never outlives its token, nor a token its parent, unless it was made an orphan.
 * V4: time comes from the clock that it was given, and from nowhere else.
 * V5: it listens on loopback alone, and its service refuses a production environment.
 * V6: sealed, nothing but its status answers. With a folder, what was answered is on disk.
 * V7: with audit devices, what none of them can record does not happen.
 */
export { DevVault, type DevVaultOptions, UnsealKeyError, WeakRootTokenError } from './dev-vault.ts'
export { PostgresExecutor } from './database/postgres-executor.ts'
export type { SqlConnection, SqlExecutor } from './database/sql-executor.ts'
export { RefusedHostError } from './loopback.ts'
export { StoreDamagedError } from './store/file-store.ts'
