import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'
import type { SqlConnection } from './sql-executor.ts'

/** `config/<name>`: a connection, and which roles may use it. */
export interface DatabaseConfig {
  plugin: string
  connection: SqlConnection
  allowedRoles: string[]
  /** How the password of the connection itself is changed; empty is by ALTER ROLE. */
  rootRotation: string[]
}

/** `roles/<name>`: how users are made and ended. Times in milliseconds, 0 for none. */
export interface DatabaseRole {
  database: string
  creation: string[]
  revocation: string[]
  renewal: string[]
  defaultTtlMs: number
  maxTtlMs: number
}

/** The connection after a write; what is not given stays. @throws VaultRefusal 400 */
export function configFrom(fields: Fields, before: DatabaseConfig | undefined): DatabaseConfig {
  const plugin = fields.string('plugin_name', before?.plugin)
  const url = fields.string('connection_url', before?.connection.url)
  if (plugin === '') throw badRequest('empty plugin name')
  if (fields.string('password_policy') !== '') throw badRequest('password_policy is not served here')
  if (url === '' && plugin !== 'fake') throw badRequest('connection_url cannot be empty')
  return {
    plugin,
    connection: {
      url,
      user: fields.string('username', before?.connection.user),
      password: fields.string('password', before?.connection.password),
    },
    allowedRoles: fields.has('allowed_roles') ? fields.list('allowed_roles') : (before?.allowedRoles ?? []),
    rootRotation: fields.has('root_rotation_statements')
      ? fields.strings('root_rotation_statements')
      : (before?.rootRotation ?? []),
  }
}

/** What a read answers: everything but the password. */
export function describeConfig(config: DatabaseConfig): Record<string, unknown> {
  return {
    allowed_roles: config.allowedRoles,
    connection_details: {
      connection_url: config.connection.url,
      username: config.connection.user,
    },
    password_policy: '',
    plugin_name: config.plugin,
    plugin_version: '',
    root_credentials_rotate_statements: config.rootRotation,
  }
}

/** The role after a write; what is not given stays. @throws VaultRefusal 400 */
export function databaseRoleFrom(fields: Fields, before: DatabaseRole | undefined): DatabaseRole {
  const statements = (name: string, was: string[] = []) => (fields.has(name) ? fields.strings(name) : was)
  const role: DatabaseRole = {
    database: fields.string('db_name', before?.database),
    creation: statements('creation_statements', before?.creation),
    revocation: statements('revocation_statements', before?.revocation),
    renewal: statements('renew_statements', before?.renewal),
    defaultTtlMs: fields.durationMs('default_ttl', before?.defaultTtlMs),
    maxTtlMs: fields.durationMs('max_ttl', before?.maxTtlMs),
  }
  if (role.database === '') throw badRequest('database name is required')
  return role
}

/** What a read of the role answers. */
export function describeDatabaseRole(role: DatabaseRole): Record<string, unknown> {
  return {
    creation_statements: role.creation,
    credential_type: 'password',
    db_name: role.database,
    default_ttl: Math.floor(role.defaultTtlMs / 1000),
    max_ttl: Math.floor(role.maxTtlMs / 1000),
    renew_statements: role.renewal,
    revocation_statements: role.revocation,
    rollback_statements: [],
  }
}
