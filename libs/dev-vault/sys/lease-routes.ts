import { inSeconds } from '../durations.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import type { Lease, LeaseStore } from '../leases.ts'
import type { Clock } from '#lib/runtime'
import { isoTime } from '../tokens/token-replies.ts'

/** `sys/leases/*`: look up, renew, revoke; and the older `sys/renew` and `sys/revoke`. */
export function leaseRoutes(clock: Clock, leases: LeaseStore): Route[] {
  const renew = write((request) => renewLease(leases, request))
  const revoke = write((request) => revokeLease(leases, request))
  const revokePrefix = write((request) => revokeUnder(leases, request))
  const revokeForce = write((request) => forgetUnder(leases, request))
  return [
    { pattern: 'leases/lookup', on: write((request) => lookup(clock, leases, request)) },
    { pattern: 'leases/lookup', sudo: true, on: { list: (request) => list(leases, request) } },
    { pattern: 'leases/lookup/*prefix', sudo: true, on: { list: (request) => list(leases, request) } },
    { pattern: 'leases/renew', on: renew },
    { pattern: 'leases/renew/*id', on: renew },
    { pattern: 'leases/revoke', on: revoke },
    { pattern: 'leases/revoke/*id', on: revoke },
    { pattern: 'leases/revoke-prefix/*prefix', sudo: true, on: revokePrefix },
    { pattern: 'leases/revoke-force/*prefix', sudo: true, on: revokeForce },
    { pattern: 'renew', on: renew },
    { pattern: 'renew/*id', on: renew },
    { pattern: 'revoke', on: revoke },
    { pattern: 'revoke/*id', on: revoke },
    { pattern: 'revoke-prefix/*prefix', sudo: true, on: revokePrefix },
  ]
}

function idOf({ fields, params }: EngineRequest): string {
  const id = params['id'] ?? fields.string('lease_id')
  if (id === '') throw badRequest('lease_id must be specified')
  return id
}

function lookup(clock: Clock, leases: LeaseStore, request: EngineRequest): Reply {
  const lease = leases.get(idOf(request))
  if (!lease) throw badRequest('invalid lease')
  return {
    data: {
      expire_time: isoTime(lease.expiresAt),
      id: lease.id,
      issue_time: isoTime(lease.issuedAt),
      last_renewal: lease.renewedAt === undefined ? null : isoTime(lease.renewedAt),
      path: lease.path,
      renewable: lease.renewable,
      ttl: inSeconds(lease.expiresAt - clock.now()),
    },
  }
}

function list(leases: LeaseStore, { params }: EngineRequest): Reply {
  const prefix = params['prefix'] === undefined ? '' : `${params['prefix'].replace(/\/$/, '')}/`
  const keys = new Set<string>()
  for (const { id } of leases.under(prefix)) {
    const rest = id.slice(prefix.length)
    const slash = rest.indexOf('/')
    keys.add(slash < 0 ? rest : rest.slice(0, slash + 1))
  }
  if (keys.size === 0) throw nothingThere()
  return { data: { keys: [...keys].toSorted() } }
}

async function renewLease(leases: LeaseStore, request: EngineRequest): Promise<Reply> {
  const lease = leases.get(idOf(request))
  if (!lease) throw badRequest('lease not found')
  if (lease.kind === 'token') throw badRequest('tokens cannot be renewed through this endpoint')
  if (!lease.renewable || !lease.renew) throw badRequest('lease is not renewable')
  const ms = await lease.renew(request.fields.durationMs('increment'))
  if (leases.get(lease.id) !== lease) throw badRequest('lease not found')
  return { lease: { id: lease.id, ms: leases.extend(lease, ms), renewable: true } }
}

/** An unknown lease is no error: it is gone, which is what was asked for. */
async function revokeLease(leases: LeaseStore, request: EngineRequest): Promise<Reply | undefined> {
  const lease = leases.get(idOf(request))
  return end(leases, lease ? [lease] : [], request)
}

async function revokeUnder(leases: LeaseStore, request: EngineRequest): Promise<Reply | undefined> {
  const prefix = `${request.params['prefix']!.replace(/\/$/, '')}/`
  return end(leases, leases.under(prefix), request)
}

/** Ends leases even where their engine fails: what it left in its database is somebody else's to find. */
async function forgetUnder(leases: LeaseStore, request: EngineRequest): Promise<undefined> {
  const prefix = `${request.params['prefix']!.replace(/\/$/, '')}/`
  for (const lease of leases.under(prefix)) {
    await lease.revoke().catch(() => {})
    leases.forgetId(lease.id)
  }
}

/** At once unless `sync` is false, as OpenBao 2.6 has it. */
async function end(
  leases: LeaseStore,
  ending: Lease[],
  { fields }: EngineRequest,
): Promise<Reply | undefined> {
  if (fields.boolean('sync', true)) {
    for (const lease of ending) await leases.revoke(lease)
    return undefined
  }
  for (const lease of ending) leases.revokeLazily(lease)
  return { status: 202 }
}
