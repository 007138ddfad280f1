import { randomUUID } from 'node:crypto'
import type { Clock } from '#lib/runtime'
import type { Route } from '../engine.ts'
import { badRequest } from '../errors.ts'
import { inSeconds } from '../durations.ts'

/** What it says it is. The version it follows is Vault's API of that release. */
const VERSION = '1.20.0+devvault'

/** Health and seal status: bare bodies, no token. It is always unsealed: there is nothing at rest to seal. */
export function statusRoutes(clock: Clock): Route[] {
  const cluster = { cluster_name: 'dev-vault', cluster_id: randomUUID() }
  const health = () => ({
    bare: {
      initialized: true,
      sealed: false,
      standby: false,
      performance_standby: false,
      replication_performance_mode: 'disabled',
      replication_dr_mode: 'disabled',
      server_time_utc: inSeconds(clock.now()),
      version: VERSION,
      ...cluster,
    },
  })
  return [
    { pattern: 'health', open: true, on: { read: withActiveCode(health), head: withActiveCode(health) } },
    { pattern: 'seal-status', open: true, on: { read: () => ({ bare: sealStatus(cluster) }) } },
    { pattern: 'leader', open: true, on: { read: () => ({ bare: LEADER }) } },
    {
      pattern: 'init',
      open: true,
      on: {
        read: () => ({ bare: { initialized: true } }),
        update: () => {
          throw badRequest('Vault is already initialized')
        },
      },
    },
  ]
}

const LEADER = { ha_enabled: false, is_self: false, leader_address: '', leader_cluster_address: '' }

function sealStatus(cluster: object) {
  return {
    type: 'shamir',
    initialized: true,
    sealed: false,
    t: 1,
    n: 1,
    progress: 0,
    nonce: '',
    version: VERSION,
    build_date: '',
    migration: false,
    recovery_seal: false,
    storage_type: 'inmem',
    ...cluster,
  }
}

/** `?activecode=` chooses the status of an active server. */
function withActiveCode(health: () => { bare: object }): NonNullable<Route['on']['read']> {
  return ({ fields }) => {
    const code = fields.has('activecode') ? fields.integer('activecode') : 200
    if (code < 200 || code > 599) throw badRequest('Bad value for activecode')
    return { ...health(), status: code }
  }
}
