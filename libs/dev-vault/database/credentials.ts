import { messageOf, type Clock } from '#lib/runtime'
import type { EngineRequest, Reply } from '../engine.ts'
import { oneError, VaultRefusal } from '../errors.ts'
import { randomBase62 } from '../ids.ts'
import type { Lease, LeaseStore } from '../leases.ts'
import { holderOf } from '../tokens/token-store.ts'
import { grantTtl } from '../ttl.ts'
import type { DatabaseRole } from './database-config.ts'
import { fillIn, newPassword, newUserName, renewalOf, revocationOf, sqlTime } from './statements.ts'

export interface CredentialRequest {
  clock: Clock
  leases: LeaseStore
  request: EngineRequest
  name: string
  role: DatabaseRole
  /** The role as it is when the lease ends; gone: the statements stored in the lease count. */
  currentRole: () => DatabaseRole | undefined
  run: (statements: string[], atomic: boolean) => Promise<void>
}

/** What a database user lives longer than its lease, so that the lease and not the database ends it. */
const SLACK_MS = 5000

/** Makes a database user and its lease. After a failure the user is dropped: its COMMIT may have arrived all the same. */
export async function issueCredentials(options: CredentialRequest): Promise<Reply> {
  const { clock, leases, request, role } = options
  const now = clock.now()
  const { ms, warnings } = grantTtl({ now, ...limitsOf(role, request) })
  const user = newUserName(request.token!.displayName, options.name, now)
  const password = newPassword()
  const expiration = sqlTime(now + ms + SLACK_MS)
  const statements = role.creation.map((statement) => fillIn(statement, { name: user, password, expiration }))
  await options.run(statements, true).catch((cause: unknown) => {
    void options.run(revocation(role, user), false).catch(() => {})
    throw new VaultRefusal(
      500,
      oneError(`failed to execute query: ${messageOf(cause).replaceAll(password, '[password]')}`),
    )
  })
  const lease = leaseOf(options, { user, now, ms })
  leases.add(lease)
  return {
    data: { username: user, password },
    lease: { id: lease.id, ms: lease.expiresAt - now, renewable: lease.renewable },
    warnings,
  }
}

/** The role's limits, within those of its mount. */
const limitsOf = (role: DatabaseRole, { mount }: EngineRequest) => ({
  defaultMs: role.defaultTtlMs,
  maxMs: role.maxTtlMs,
  mountDefaultMs: mount.defaultTtlMs,
  mountMaxMs: mount.maxTtlMs,
})

function leaseOf(options: CredentialRequest, made: { user: string; now: number; ms: number }): Lease {
  const { request, role, currentRole, run } = options
  const lease: Lease = {
    id: `${request.path}/${randomBase62(24)}`,
    path: request.path,
    kind: 'secret',
    ...holderOf(request.token!),
    issuedAt: made.now,
    expiresAt: made.now + made.ms,
    renewable: request.token!.kind === 'service',
    renew: (incrementMs) => renew(options, { lease, user: made.user, incrementMs }),
    revoke: () => run(revocation(currentRole() ?? role, made.user), false),
  }
  return lease
}

function revocation(role: DatabaseRole, user: string): string[] {
  if (role.revocation.length === 0) return revocationOf(user)
  return role.revocation.map((statement) => fillIn(statement, { name: user }))
}

async function renew(
  { clock, request, role, currentRole, run }: CredentialRequest,
  { lease, user, incrementMs }: { lease: Lease; user: string; incrementMs: number },
): Promise<number> {
  const current = currentRole() ?? role
  const now = clock.now()
  const { ms } = grantTtl({
    now,
    issuedAt: lease.issuedAt,
    incrementMs,
    ...limitsOf(current, request),
  })
  const expiration = sqlTime(now + ms + SLACK_MS)
  const own = current.renewal.map((statement) => fillIn(statement, { name: user, expiration }))
  await run(own.length > 0 ? own : renewalOf(user, expiration), true)
  return ms
}
