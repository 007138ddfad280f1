import { randomBase62 } from '../ids.ts'

/** What `{{…}}` stands for in a role's statements. */
export interface StatementValues {
  name: string
  password?: string
  expiration?: string
}

/** Fills in `{{name}}`, `{{username}}`, `{{password}}` and `{{expiration}}`. */
export function fillIn(statement: string, { name, password, expiration }: StatementValues): string {
  const values = new Map([
    ['name', name],
    ['username', name],
    ['password', password],
    ['expiration', expiration],
  ])
  return statement.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (whole, key: string) => values.get(key) ?? whole)
}

/** `v-<who>-<role>-<random>-<unix time>`, in letters that need no escape; Postgres holds 63. */
export function newUserName(displayName: string, role: string, now: number): string {
  return `v-${namePart(displayName)}-${namePart(role)}-${randomBase62(20)}-${Math.floor(now / 1000)}`
}

const namePart = (text: string) => text.replaceAll(/[^A-Za-z0-9-]/g, '-').slice(0, 8)

/** Letters, digits and a dash: fit for any quoting. */
export const newPassword = () => `A1a-${randomBase62(28)}`

/** A time as Postgres reads it in VALID UNTIL. */
export function sqlTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}+0000`
}

/** Moves the end of a user's password. */
export function renewalOf(name: string, expiration: string): string[] {
  return [`ALTER ROLE ${identifier(name)} VALID UNTIL ${literal(expiration)}`]
}

/** Changes the password of a user that stays. */
export function passwordChangeOf(name: string, password: string): string[] {
  return [`ALTER ROLE ${identifier(name)} WITH PASSWORD ${literal(password)}`]
}

/**
 * Ends a user where the role does not say how. The order counts: no new session, no open session, nothing owned or
 * granted, no role. Each step may run again after a failure. A session that was logging in meanwhile is cut last.
 */
export function revocationOf(name: string): string[] {
  const role = identifier(name)
  const whenThere = (statements: string) =>
    `DO $revoke$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = ${literal(name)}) THEN ${statements} END IF; END $revoke$`
  return [
    whenThere(`ALTER ROLE ${role} NOLOGIN;`),
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ${literal(name)}`,
    whenThere(`GRANT ${role} TO CURRENT_USER; DROP OWNED BY ${role} CASCADE; DROP ROLE ${role};`),
  ]
}

const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`
