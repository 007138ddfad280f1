import type { Clock } from '#lib/runtime'
import type { EngineRequest, Reply } from '../engine.ts'
import type { Mount } from '../router.ts'
import type { RenewalLimits } from '../tokens/token-entry.ts'
import { sanitize } from '../tokens/token-policies.ts'
import type { TokenStore } from '../tokens/token-store.ts'
import { tokenKind } from '../tokens/token-type.ts'
import { grantTtl } from '../ttl.ts'
import type { AppRole } from './approle-role.ts'
import type { SecretId } from './secret-ids.ts'

export interface Login {
  clock: Clock
  tokens: TokenStore
  role: AppRole
  secretId: SecretId | undefined
  request: EngineRequest
}

/** The token of a login: an orphan with the role's policies, limits read anew at each renewal. */
export function loginReply({ clock, tokens, role, secretId, request }: Login): Reply {
  const { ms, warnings } = grantTtl({ now: clock.now(), ...appRoleLimits(role, request.mount) })
  const { token, entry } = tokens.create({
    kind: tokenKind('', role.tokenType),
    policies: sanitize(role.policies, !role.noDefaultPolicy),
    path: request.path,
    displayName: 'approle',
    meta: { ...secretId?.metadata, role_name: role.name },
    cidrs: secretId && secretId.tokenCidrs.length > 0 ? secretId.tokenCidrs : role.tokenCidrs,
    usesLeft: role.numUses,
    ttlMs: ms,
    periodMs: role.periodMs,
    explicitMaxMs: role.explicitMaxMs,
  })
  return { auth: { entry, clientToken: token, leaseMs: ms }, warnings }
}

export function appRoleLimits(role: AppRole, mount: Mount): RenewalLimits {
  return {
    defaultMs: role.ttlMs,
    maxMs: role.maxTtlMs,
    periodMs: role.periodMs,
    explicitMaxMs: role.explicitMaxMs,
    mountDefaultMs: mount.defaultTtlMs,
    mountMaxMs: mount.maxTtlMs,
  }
}
