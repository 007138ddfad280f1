import { inSeconds } from '../durations.ts'
import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'

/** `static-roles/<name>`: one database user whose password is changed from time to time. Times in milliseconds. */
export interface StaticRole {
  database: string
  user: string
  rotation: string[]
  periodMs: number
  password: string
  rotatedAt: number
  /** When the password is changed next. */
  dueAt: number
  /** A password that a failed rotation may have set: the next attempt sets the same. */
  pending?: string
}

const SHORTEST_PERIOD_MS = 5000

/** The role after a write; what is not given stays. @throws VaultRefusal 400 */
export function staticRoleFrom(fields: Fields, before: StaticRole | undefined): StaticRole {
  const role: StaticRole = {
    password: '',
    rotatedAt: 0,
    dueAt: 0,
    ...before,
    database: fields.string('db_name', before?.database),
    user: fields.string('username', before?.user),
    rotation: fields.has('rotation_statements')
      ? fields.strings('rotation_statements')
      : (before?.rotation ?? []),
    periodMs: fields.durationMs('rotation_period', before?.periodMs),
  }
  if (role.database === '') throw badRequest('database name is a required field')
  if (role.user === '') throw badRequest('username is a required field to create a static account')
  if (before && before.user !== role.user) throw badRequest('cannot update static account username')
  if (!fields.has('rotation_period') && !before)
    throw badRequest('rotation_period is required to create static accounts')
  if (role.periodMs < SHORTEST_PERIOD_MS) throw badRequest('rotation_period must be 5 seconds or more')
  return role
}

/** What a read of the role answers. */
export function describeStaticRole(role: StaticRole): Record<string, unknown> {
  return {
    credential_type: 'password',
    db_name: role.database,
    last_vault_rotation: isoTime(role.rotatedAt),
    rotation_period: inSeconds(role.periodMs),
    rotation_statements: role.rotation,
    username: role.user,
  }
}

/** What a read of its credentials answers. */
export function staticCredentials(role: StaticRole, now: number): Record<string, unknown> {
  return {
    last_vault_rotation: isoTime(role.rotatedAt),
    password: role.password,
    rotation_period: inSeconds(role.periodMs),
    ttl: Math.max(0, Math.round((role.rotatedAt + role.periodMs - now) / 1000)),
    username: role.user,
  }
}
