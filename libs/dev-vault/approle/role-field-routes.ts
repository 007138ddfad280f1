import { type EngineRequest, type Reply, type Route, write } from '../engine.ts'
import { badRequest, unsupportedPath } from '../errors.ts'
import { Fields } from '../fields.ts'
import { describeAppRole, type AppRole } from './approle-role.ts'

interface RoleField {
  /** The last segment of the route. */
  route: string
  /** The field as a read of the whole role names it. */
  field: string
  /** Other names that a write may use. */
  also?: string
  /** What its deletion leaves. */
  empty: unknown
  /** The name that a write misses in vain; absent: a write without it changes nothing. */
  missing?: string
}

const ROLE_FIELDS: RoleField[] = [
  { route: 'policies', field: 'token_policies', also: 'policies', empty: [], missing: 'token_policies' },
  { route: 'secret-id-bound-cidrs', field: 'secret_id_bound_cidrs', also: 'bound_cidr_list', empty: [] },
  { route: 'token-bound-cidrs', field: 'token_bound_cidrs', empty: [] },
  { route: 'bind-secret-id', field: 'bind_secret_id', empty: true, missing: 'bind_secret_id' },
  { route: 'secret-id-num-uses', field: 'secret_id_num_uses', empty: 0, missing: 'secret_id_num_uses' },
  { route: 'secret-id-ttl', field: 'secret_id_ttl', empty: 0, missing: 'secret_id_ttl' },
  { route: 'period', field: 'token_period', also: 'period', empty: 0, missing: 'period' },
  { route: 'token-num-uses', field: 'token_num_uses', empty: 0, missing: 'token_num_uses' },
  { route: 'token-ttl', field: 'token_ttl', empty: 0, missing: 'token_ttl' },
  { route: 'token-max-ttl', field: 'token_max_ttl', empty: 0, missing: 'token_max_ttl' },
]

export interface RoleAccess {
  known: (request: EngineRequest) => boolean
  /** @throws VaultRefusal 404 */
  role: (request: EngineRequest) => AppRole
  /** Changes some fields of an existing role. */
  change: (request: EngineRequest, fields: Fields) => void
}

/** `role/<name>/<field>`: one field of a role is read, written or reset. */
export function roleFieldRoutes({ known, role, change }: RoleAccess): Route[] {
  const read = (request: EngineRequest, field: string): Reply => ({
    data: { [field]: describeAppRole(role(request))[field] },
  })
  const set = (request: EngineRequest, { field, also, missing }: RoleField) => {
    if (!known(request)) throw unsupportedPath()
    const given = [field, also].find((name) => name !== undefined && request.fields.has(name))
    if (given === undefined && missing === undefined) return
    if (given === undefined) throw badRequest(`missing ${missing}`)
    change(request, only(field, request.fields.all.get(given)))
  }
  const fields = ROLE_FIELDS.map((each): Route => ({
    pattern: `role/:name/${each.route}`,
    on: {
      read: (request) => read(request, each.field),
      ...write((request) => set(request, each)),
      delete: (request) => {
        if (known(request)) change(request, only(each.field, each.empty))
      },
    },
  }))
  const local: Route = {
    pattern: 'role/:name/local-secret-ids',
    on: { read: (request) => read(request, 'local_secret_ids') },
  }
  return [...fields, local]
}

const only = (field: string, value: unknown) => new Fields(new Map([[field, value]]))
