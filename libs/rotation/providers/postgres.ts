import { randomBytes } from 'node:crypto'
import { parseAdminUser } from '#lib/vault'
import type { Client } from 'pg'
import { KeyRefusedError, ProviderFailedError } from '../errors.ts'
import type { CreateRequest, LastUse, ListedKey, ProviderKey, RotationProvider } from '../provider.ts'
import { inSession, type PostgresServer } from './postgres-session.ts'
import { scramVerifier } from './scram.ts'

/** Two login roles, and who may change them. */
export interface PostgresOptions {
  server: PostgresServer
  /** Members of one role that owns everything: the one is live while the other is idle. */
  roles: readonly [string, string]
  /** `user:password`, read anew for each call. Never one of the two. */
  admin: () => Promise<string>
}

/** invalid_password, and invalid_authorization_specification: also of a role that may not log in. */
const REFUSED = ['28P01', '28000']
const NO_SUCH_ROLE = '42704'
const WORDS: Record<string, string> = {
  [NO_SUCH_ROLE]: 'there is no such role',
  '28P01': 'the admin user is refused',
  '28000': 'the admin user is refused',
  '42501': 'the admin user may not do this',
  '57014': 'the statement took too long',
}

/**
 * Two login roles in turn: the idle one gets a new password and may log in, and the other may not any more once nobody
 * holds it. A new password for a single role would refuse whoever holds the old one. Values are `user:password`; a role's
 * comment is the name of its key.
 */
export class PostgresProvider implements RotationProvider {
  readonly account: string
  readonly endsKeys = true
  readonly #options: PostgresOptions

  constructor(options: PostgresOptions) {
    const { host, port } = options.server
    this.#options = options
    this.account = `postgres/${host}:${port}`
  }

  /** Password, login and comment come together or not at all. */
  create({ name, oldKeyId, signal }: CreateRequest): Promise<ProviderKey> {
    return this.#asAdmin('create', signal, async (client) => {
      const id = await this.#idle(client, oldKeyId)
      const password = randomBytes(32).toString('base64url')
      const role = client.escapeIdentifier(id)
      const verifier = client.escapeLiteral(scramVerifier(password))
      await client.query('BEGIN')
      await client.query(`ALTER ROLE ${role} LOGIN PASSWORD ${verifier}`)
      await client.query(`COMMENT ON ROLE ${role} IS ${client.escapeLiteral(name)}`)
      await client.query('COMMIT')
      return { id, value: `${id}:${password}` }
    })
  }

  async verify({ value }: ProviderKey, signal: AbortSignal): Promise<void> {
    const login = parseAdminUser(value)
    if (!login) throw new KeyRefusedError('a value that is not user:password')
    const { username: user, password } = login
    const { server } = this.#options
    await inSession({ server, user, password, signal }, (client) => client.query('SELECT 1')).catch(
      (error: unknown) => {
        signal.throwIfAborted()
        throw REFUSED.includes(codeOf(error))
          ? new KeyRefusedError(`the login of ${user} (SQLSTATE ${codeOf(error)})`)
          : failure('verify', error)
      },
    )
  }

  /** Postgres notes no logins: what counts is the open sessions. */
  lastUsed(id: string, signal: AbortSignal): Promise<LastUse> {
    return this.#asAdmin('last use', signal, async (client) => {
      const { rows } = await client.query<{ ageMs: number; by: string }>(
        `SELECT coalesce(extract(epoch FROM clock_timestamp() - greatest(backend_start, state_change)), 0)::float * 1000 AS "ageMs",
                concat_ws(' at ', nullif(application_name, ''), coalesce(host(client_addr), 'a unix socket')) AS by
         FROM pg_stat_activity WHERE usename = $1 ORDER BY 1 LIMIT 1`,
        [id],
      )
      const [latest] = rows
      return latest ? { at: Date.now() - Math.max(0, latest.ageMs), by: latest.by } : { at: null }
    })
  }

  disable(id: string, signal: AbortSignal): Promise<void> {
    return this.#asAdmin('disable', signal, (client) => alter(client, id, 'NOLOGIN'))
  }

  enable(id: string, signal: AbortSignal): Promise<void> {
    return this.#asAdmin('enable', signal, (client) => alter(client, id, 'LOGIN'))
  }

  /** Also its open sessions, which outlive the password that they began with. */
  revoke(id: string, signal: AbortSignal): Promise<void> {
    return this.#asAdmin('revoke', signal, async (client) => {
      await alter(client, id, 'NOLOGIN PASSWORD NULL')
      const ended = await client.query<{ ended: boolean }>(
        'SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity WHERE usename = $1',
        [id],
      )
      if (ended.rows.some((row) => !row.ended))
        throw new ProviderFailedError('revoke', `sessions of ${id} are still open`)
    })
  }

  /** A role that may not log in is no key. */
  findOrphans(namePrefix: string, signal: AbortSignal): Promise<ListedKey[]> {
    return this.#asAdmin('list', signal, async (client) => {
      const { rows } = await client.query<ListedKey>(
        `SELECT rolname AS id, description AS name FROM pg_roles
         JOIN pg_shdescription ON objoid = pg_roles.oid AND classoid = 'pg_authid'::regclass
         WHERE rolcanlogin AND starts_with(description, $1)`,
        [namePrefix],
      )
      return rows
    })
  }

  async identify(value: string): Promise<string | undefined> {
    const user = parseAdminUser(value)?.username
    return this.#options.roles.find((role) => role === user)
  }

  /** The role that is not live. Where that cannot be told, the one that may not log in. */
  async #idle(client: Client, oldKeyId: string | null): Promise<string> {
    const { roles } = this.#options
    if (oldKeyId !== null && roles.includes(oldKeyId)) return roles.find((role) => role !== oldKeyId)!
    const { rows } = await client.query<{ rolname: string }>(
      'SELECT rolname FROM pg_roles WHERE rolname = ANY($1) AND NOT rolcanlogin',
      [roles],
    )
    const idle = roles.find((role) => rows.some(({ rolname }) => rolname === role))
    if (idle !== undefined) return idle
    const why = `the live value is of neither ${roles.join(' nor ')}; expected one of them to be there with NOLOGIN`
    throw new ProviderFailedError('create', why)
  }

  async #asAdmin<T>(step: string, signal: AbortSignal, use: (client: Client) => Promise<T>): Promise<T> {
    const { server, roles, admin } = this.#options
    const login = parseAdminUser(await admin())
    if (!login) throw new ProviderFailedError(step, 'the admin secret is not user:password')
    const { username: user, password } = login
    if (roles.includes(user))
      throw new ProviderFailedError(step, `the admin user ${user} is one of the roles`)
    return inSession({ server, user, password, signal }, use).catch((error: unknown) => {
      signal.throwIfAborted()
      throw failure(step, error)
    })
  }
}

/** What a role may; a role that is gone may nothing already. */
async function alter(client: Client, id: string, what: 'LOGIN' | 'NOLOGIN' | 'NOLOGIN PASSWORD NULL') {
  await client.query(`ALTER ROLE ${client.escapeIdentifier(id)} ${what}`).catch((error: unknown) => {
    if (what === 'LOGIN' || codeOf(error) !== NO_SUCH_ROLE) throw error
  })
}

/** By code alone: a server's message may quote a statement. */
function failure(step: string, error: unknown): ProviderFailedError {
  if (error instanceof ProviderFailedError) return error
  const code = codeOf(error)
  return new ProviderFailedError(step, WORDS[code] ?? (code || 'the connection ended'))
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? ''
