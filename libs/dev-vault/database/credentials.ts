import { messageOf, type Clock } from '#lib/runtime'
import type { EngineRequest, Reply } from '../engine.ts'
import { oneError, VaultRefusal } from '../errors.ts'
import { randomBase62 } from '../ids.ts'
import type { Lease, LeaseRecord, LeaseStore } from '../leases.ts'
import type { Mount } from '../router.ts'
import { holderOf } from '../tokens/token-store.ts'
import { grantTtl } from '../ttl.ts'
import type { DatabaseRole } from './database-config.ts'
import { fillIn, newPassword, newUserName, renewalOf, revocationOf, sqlTime } from './statements.ts'

/** What the leases of a role need for as long as they live. */
export interface LeaseKeeper {
  clock: Clock
  mount: Mount
  /** The role as it was; what counts when it is gone. */
  role: DatabaseRole
  /** The role as it is when the lease is renewed or ends. */
  currentRole: () => DatabaseRole | undefined
  run: (statements: string[], atomic: boolean) => Promise<void>
}

export interface CredentialRequest extends LeaseKeeper {
  leases: LeaseStore
  request: EngineRequest
  name: string
}

/** What a lease says of its user to whoever ends it. */
export interface DatabaseLease {
  user: string
  name: string
  role: DatabaseRole
}

/** What a database user lives longer than its lease, so that the lease and not the database ends it. */
const SLACK_MS = 5000

/** Makes a database user and its lease. After a failure the user is dropped: its COMMIT may have arrived all the same. */
export async function issueCredentials(options: CredentialRequest): Promise<Reply> {
  const { clock, leases, request, role } = options
  const now = clock.now()
  const { ms, warnings } = grantTtl({ now, ...limitsOf(role, options.mount) })
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
  const lease = bindDatabaseLease(options, {
    id: `${request.path}/${randomBase62(24)}`,
    path: request.path,
    kind: 'secret',
    ...holderOf(request.token!),
    issuedAt: now,
    expiresAt: now + ms,
    renewable: request.token!.kind === 'service',
    internal: { user, name: options.name, role } satisfies DatabaseLease,
  })
  leases.add(lease)
  return {
    data: { username: user, password },
    lease: { id: lease.id, ms: lease.expiresAt - now, renewable: lease.renewable },
    warnings,
  }
}

/** The role's limits, within those of its mount. */
const limitsOf = (role: DatabaseRole, mount: Mount) => ({
  defaultMs: role.defaultTtlMs,
  maxMs: role.maxTtlMs,
  mountDefaultMs: mount.defaultTtlMs,
  mountMaxMs: mount.maxTtlMs,
})

/** A lease that renews and ends the user of its record. */
export function bindDatabaseLease(keeper: LeaseKeeper, record: LeaseRecord): Lease {
  const { user } = record.internal as DatabaseLease
  const lease: Lease = {
    ...record,
    renew: (incrementMs) => renew(keeper, { lease, user, incrementMs }),
    revoke: () => keeper.run(revocation(keeper.currentRole() ?? keeper.role, user), false),
  }
  return lease
}

function revocation(role: DatabaseRole, user: string): string[] {
  if (role.revocation.length === 0) return revocationOf(user)
  return role.revocation.map((statement) => fillIn(statement, { name: user }))
}

async function renew(
  { clock, mount, role, currentRole, run }: LeaseKeeper,
  { lease, user, incrementMs }: { lease: Lease; user: string; incrementMs: number },
): Promise<number> {
  const current = currentRole() ?? role
  const now = clock.now()
  const { ms } = grantTtl({
    now,
    issuedAt: lease.issuedAt,
    incrementMs,
    ...limitsOf(current, mount),
  })
  const expiration = sqlTime(now + ms + SLACK_MS)
  const own = current.renewal.map((statement) => fillIn(statement, { name: user, expiration }))
  await run(own.length > 0 ? own : renewalOf(user, expiration), true)
  return ms
}
