import { randomUUID } from 'node:crypto'
import type { Clock } from '#lib/runtime'
import { inSeconds } from '../durations.ts'
import type { EngineRequest, Reply, Route } from '../engine.ts'
import { badRequest } from '../errors.ts'
import type { Seal } from '../seal/seal.ts'

/** What it says it is. The version it follows is Vault's API of that release. */
const VERSION = '1.20.0+devvault'
const CLUSTER = { cluster_name: 'dev-vault', cluster_id: randomUUID() }
const LEADER = { ha_enabled: false, is_self: false, leader_address: '', leader_cluster_address: '' }

/** Health and seal status: bare bodies, no token, also while it is sealed. */
export function statusRoutes(clock: Clock, seal: Seal): Route[] {
  const health = (request: EngineRequest) => healthOf(clock, seal, request)
  const open = { open: true, whileSealed: true, unaudited: true }
  return [
    { pattern: 'health', ...open, on: { read: health, head: health } },
    { pattern: 'seal-status', ...open, on: { read: () => ({ bare: sealStatus(seal) }) } },
    { pattern: 'leader', ...open, on: { read: () => ({ bare: LEADER }) } },
  ]
}

/** The body of `sys/seal-status`, which a step of unsealing answers as well. */
export function sealStatus(seal: Seal): object {
  const { sealed, ...facts } = seal.facts
  return {
    type: 'shamir',
    ...facts,
    sealed,
    version: VERSION,
    build_date: '',
    migration: false,
    recovery_seal: false,
    storage_type: 'inmem',
    ...(!sealed && CLUSTER),
  }
}

/** The status says it all; `?sealedcode=`, `?uninitcode=` and `?activecode=` choose another. */
function healthOf(clock: Clock, seal: Seal, request: EngineRequest): Reply {
  const { initialized, sealed } = seal.facts
  const codes = {
    uninit: codeOf(request, 'uninitcode', 501),
    sealed: codeOf(request, 'sealedcode', 503),
    active: codeOf(request, 'activecode', 200),
  }
  return {
    status: initialized ? (sealed ? codes.sealed : codes.active) : codes.uninit,
    bare: {
      initialized,
      sealed,
      standby: sealed,
      performance_standby: false,
      replication_performance_mode: sealed ? 'unknown' : 'disabled',
      replication_dr_mode: sealed ? 'unknown' : 'disabled',
      server_time_utc: inSeconds(clock.now()),
      version: VERSION,
      ...(!sealed && CLUSTER),
    },
  }
}

function codeOf({ fields }: EngineRequest, name: string, fallback: number): number {
  const code = fields.has(name) ? fields.integer(name) : fallback
  if (code < 200 || code > 599) throw badRequest(`Bad value for ${name}`)
  return code
}
