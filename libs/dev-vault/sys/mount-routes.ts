import { inSeconds } from '../durations.ts'
import { write, type Engine, type EngineRequest, type Route } from '../engine.ts'
import { badRequest } from '../errors.ts'
import { Fields } from '../fields.ts'
import type { LeaseStore } from '../leases.ts'
import type { Mount, Router } from '../router.ts'
import { SYSTEM_TTL_MS } from '../ttl.ts'

/** Makes an engine of a type for a new mount; undefined when the type is unknown. */
export type EngineFactory = (type: string, options: Record<string, string>) => Engine | undefined

export interface MountParts {
  router: Router
  leases: LeaseStore
  engines: EngineFactory
  methods: EngineFactory
}

/** `sys/mounts` and `sys/auth`: engines and auth methods come and go. */
export function mountRoutes(parts: MountParts): Route[] {
  return [
    ...routesFor(parts, { table: 'mounts', prefix: '', factory: parts.engines, sudo: false }),
    ...routesFor(parts, { table: 'auth', prefix: 'auth/', factory: parts.methods, sudo: true }),
  ]
}

interface Table {
  table: 'mounts' | 'auth'
  prefix: '' | 'auth/'
  factory: EngineFactory
  sudo: boolean
}

function routesFor(parts: MountParts, { table, prefix, factory, sudo }: Table): Route[] {
  const inTable = (mount: Mount) => mount.path.startsWith('auth/') === (prefix === 'auth/')
  const pathOf = ({ params }: EngineRequest) => `${prefix}${params['path']!.replace(/\/$/, '')}/`
  const existing = (request: EngineRequest) => {
    const mount = parts.router.mounts().find(({ path }) => path === pathOf(request))
    if (!mount)
      throw badRequest(`No ${table === 'auth' ? 'auth engine' : 'secret engine mount'} at ${pathOf(request)}`)
    return mount
  }
  const list = () => {
    const mounts = parts.router.mounts().filter(inTable)
    const data = Object.fromEntries(mounts.map((mount) => [mount.path.slice(prefix.length), describe(mount)]))
    return { data, alsoOnTop: true }
  }
  return [
    { pattern: table, on: { read: list } },
    {
      pattern: `${table}/*path/tune`,
      sudo,
      on: {
        read: (request) => ({ data: tuning(existing(request)), alsoOnTop: true }),
        ...write((request) => tune(existing(request), request.fields)),
      },
    },
    {
      pattern: `${table}/*path`,
      sudo,
      on: {
        read: (request) => ({ data: describe(existing(request)) }),
        ...write((request) => add(parts.router, { request, path: pathOf(request), factory })),
        delete: (request) => remove(parts, pathOf(request)),
      },
    },
  ]
}

function add(
  router: Router,
  { request, path, factory }: { request: EngineRequest; path: string; factory: EngineFactory },
): void {
  const type = request.fields.string('type')
  if (type === '') throw badRequest('backend type must be specified as a string')
  const options = request.fields.stringMap('options')
  router.refuseOverlap(path)
  const engine = factory(type, options)
  if (!engine) throw badRequest(`plugin not found in the catalog: ${type}`)
  if (path === '/' || path.startsWith('sys/') || path === 'auth/') throw badRequest(`cannot mount "${path}"`)
  const isKv = engine.type === 'kv'
  const mount = router.mount({
    path,
    engine,
    description: request.fields.string('description'),
    options: isKv ? { ...options, version: '2' } : Object.keys(options).length > 0 ? options : null,
  })
  tune(mount, new Fields(new Map(Object.entries(request.fields.object('config') ?? {}))))
}

/** Times as they count: the system's where the mount has none of its own. */
function tuning(mount: Mount): Record<string, unknown> {
  return {
    default_lease_ttl: inSeconds(mount.defaultTtlMs || SYSTEM_TTL_MS),
    description: mount.description,
    force_no_cache: false,
    max_lease_ttl: inSeconds(mount.maxTtlMs || SYSTEM_TTL_MS),
    ...(mount.options && { options: mount.options }),
    ...(mount.path.startsWith('auth/') && { token_type: 'default-service' }),
  }
}

function tune(mount: Mount, fields: Fields): void {
  const defaultTtlMs = ttlIn(fields, 'default_lease_ttl', mount.defaultTtlMs)
  const maxTtlMs = ttlIn(fields, 'max_lease_ttl', mount.maxTtlMs)
  if (fields.has('token_type') && !mount.path.startsWith('auth/'))
    throw badRequest("'token_type' can only be modified on auth mounts")
  if (maxTtlMs > 0 && defaultTtlMs > maxTtlMs)
    throw badRequest(
      `backend max lease TTL of ${inSeconds(maxTtlMs)} would be less than backend default lease TTL of ${inSeconds(defaultTtlMs)}`,
    )
  mount.description = fields.string('description', mount.description)
  Object.assign(mount, { defaultTtlMs, maxTtlMs })
}

/** `system` takes the mount's own time away. */
function ttlIn(fields: Fields, name: string, before: number): number {
  return fields.all.get(name) === 'system' ? 0 : fields.durationMs(name, before)
}

/** Leases below the mount end with it. What is not mounted is no error. */
async function remove({ router, leases }: MountParts, path: string): Promise<void> {
  if (path === 'sys/' || path === 'auth/token/') throw badRequest(`cannot unmount "${path}"`)
  const mount = router.unmount(path)
  if (!mount) return
  for (const lease of leases.under(path)) leases.revokeLazily(lease)
  await mount.engine.close?.()
}

function describe(mount: Mount) {
  return {
    accessor: mount.accessor,
    config: {
      default_lease_ttl: inSeconds(mount.defaultTtlMs),
      force_no_cache: false,
      max_lease_ttl: inSeconds(mount.maxTtlMs),
    },
    deprecation_status: 'supported',
    description: mount.description,
    external_entropy_access: false,
    local: false,
    options: mount.options,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    seal_wrap: false,
    type: mount.engine.type,
    uuid: mount.uuid,
  }
}
