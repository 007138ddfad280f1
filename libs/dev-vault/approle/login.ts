import type { Clock } from '#lib/runtime'
import type { Reply } from '../engine.ts'
import { badRequest } from '../errors.ts'
import type { RenewalLimits } from '../tokens/token-entry.ts'
import { sanitize } from '../tokens/token-policies.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { grantTtl } from '../ttl.ts'
import type { AppRole } from './approle-role.ts'

export interface Login {
  clock: Clock
  tokens: TokenStore
  role: AppRole
  metadata: Record<string, string>
  path: string
  /** The role as it is when the token is renewed. */
  current: () => AppRole | undefined
}

/** The token of a login: an orphan with the role's policies, limits read anew at each renewal. */
export function loginReply({ clock, tokens, role, metadata, path, current }: Login): Reply {
  const { ms, warnings } = grantTtl({ now: clock.now(), ...limitsOf(role) })
  const { token, entry } = tokens.create({
    policies: sanitize(role.policies, !role.noDefaultPolicy),
    path,
    displayName: 'approle',
    meta: metadata,
    usesLeft: role.numUses,
    ttlMs: ms,
    periodMs: role.periodMs,
    explicitMaxMs: role.explicitMaxMs,
    limits: () => renewalLimits(role.name, current()),
  })
  return { auth: { entry, clientToken: token, leaseMs: ms }, warnings }
}

function limitsOf(role: AppRole): Required<RenewalLimits> {
  return {
    defaultMs: role.ttlMs,
    maxMs: role.maxTtlMs,
    periodMs: role.periodMs,
    explicitMaxMs: role.explicitMaxMs,
  }
}

function renewalLimits(name: string, role: AppRole | undefined): RenewalLimits {
  if (!role) throw badRequest(`role "${name}" does not exist during renewal`)
  return limitsOf(role)
}
