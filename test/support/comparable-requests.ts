import type { SeededRandom } from './seeded-random.ts'

const POLICY = 'path "a/*" { capabilities = ["read", "list"] }'
const TTLS = ['1m', 300, '2h', 0]
const COUNTS = [0, 1, 5]
const FLAGS = [true, false]
const NAMES = [['default'], 'default,x', ['x', 'y']]
const BLOCKS = [['127.0.0.0/8'], ['10.0.0.0/8', '127.0.0.1'], []]

const TOKEN = {
  policies: NAMES,
  ttl: TTLS,
  explicit_max_ttl: TTLS,
  period: TTLS,
  num_uses: COUNTS,
  renewable: FLAGS,
  type: ['service', 'batch'],
  no_parent: FLAGS,
  no_default_policy: FLAGS,
  meta: [{ a: 'b' }, {}],
  display_name: ['who', 'a b'],
}
const TOKEN_ROLE = {
  allowed_policies: NAMES,
  disallowed_policies: NAMES,
  allowed_policies_glob: [['x*']],
  orphan: FLAGS,
  renewable: FLAGS,
  path_suffix: ['gen1', 'a/b', ''],
  token_type: ['service', 'default-service', 'none'],
  token_period: TTLS,
  token_explicit_max_ttl: TTLS,
  token_num_uses: COUNTS,
  token_no_default_policy: FLAGS,
}
const APP_ROLE = {
  token_policies: NAMES,
  token_ttl: TTLS,
  token_max_ttl: TTLS,
  token_period: TTLS,
  token_num_uses: COUNTS,
  token_type: ['service', 'batch', 'default'],
  bind_secret_id: FLAGS,
  secret_id_ttl: TTLS,
  secret_id_num_uses: COUNTS,
  secret_id_bound_cidrs: BLOCKS,
}
const SECRET_ID = { ttl: TTLS, num_uses: COUNTS, metadata: ['{"a":"b"}'], cidr_list: BLOCKS }
const KV_DATA = { data: [{ a: 1 }, { a: { b: null } }, {}], options: [{ cas: 0 }, { cas: 1 }, {}] }
const KV_RULES = {
  max_versions: COUNTS,
  cas_required: FLAGS,
  delete_version_after: ['0s', '1h'],
  custom_metadata: [{ a: 'b' }, { a: null }, { '': 'x' }, {}],
}
const VERSIONS = { versions: [[1], ['1', 2], [9], []] }
const STATIC = { db_name: ['none', ''], username: ['u', ''], rotation_period: ['1h', '1s'] }
const DATABASE_ROLE = {
  db_name: ['none', ''],
  default_ttl: TTLS,
  max_ttl: TTLS,
  creation_statements: [['x']],
}
const LEASE = { lease_id: ['a/b/c', ''], increment: TTLS, sync: FLAGS }
const WRAPPED = { token: ['hvs.nobody'] }
const KNOWN = { token: ['hvs.nobody'], accessor: ['nobody', ''], increment: TTLS }

/** The routes that are compared, and what may be in their bodies. `$kv`, `$db` and `$ar` are mounts. */
const ROUTES: Record<string, object> = {
  'auth/token/create': TOKEN,
  'auth/token/create-orphan': TOKEN,
  'auth/token/create/$n': TOKEN,
  'auth/token/roles/$n': TOKEN_ROLE,
  ...Object.fromEntries(
    ['lookup', 'lookup-self', 'lookup-accessor', 'renew', 'renew-accessor', 'revoke', 'revoke-accessor'].map(
      (name) => [`auth/token/${name}`, KNOWN],
    ),
  ),
  'auth/token/revoke-orphan': KNOWN,
  'auth/$ar/role': {},
  'auth/$ar/role/a': APP_ROLE,
  'auth/$ar/role/b': APP_ROLE,
  'auth/$ar/role/a/secret-id': SECRET_ID,
  'auth/$ar/role/a/custom-secret-id': { ...SECRET_ID, secret_id: [''] },
  'auth/$ar/role/a/secret-id/lookup': { secret_id: ['x', ''] },
  'auth/$ar/role/a/secret-id/destroy': { secret_id: ['x', ''] },
  'auth/$ar/role/a/secret-id-accessor/lookup': { secret_id_accessor: ['x', ''] },
  'auth/$ar/role/a/secret-id-accessor/destroy': { secret_id_accessor: ['x', ''] },
  'auth/$ar/role/a/policies': { token_policies: NAMES },
  'auth/$ar/role/a/period': { token_period: TTLS },
  'auth/$ar/role/a/token-ttl': { token_ttl: TTLS },
  'auth/$ar/role/a/token-max-ttl': { token_max_ttl: TTLS },
  'auth/$ar/role/a/token-num-uses': { token_num_uses: COUNTS },
  'auth/$ar/role/a/bind-secret-id': { bind_secret_id: FLAGS },
  'auth/$ar/login': { role_id: ['nobody'], secret_id: ['x', ''] },
  '$kv/data/a': KV_DATA,
  '$kv/data/b/c': KV_DATA,
  '$kv/subkeys/a': {},
  '$kv/metadata': {},
  '$kv/metadata/a': KV_RULES,
  '$kv/metadata/b': KV_RULES,
  '$kv/delete/a': VERSIONS,
  '$kv/undelete/a': VERSIONS,
  '$kv/destroy/a': VERSIONS,
  '$kv/config': KV_RULES,
  '$kv/odd': {},
  $kv: {},
  '$db/config': {},
  '$db/roles': {},
  '$db/roles/a': DATABASE_ROLE,
  '$db/creds/a': {},
  '$db/static-roles/a': STATIC,
  '$db/static-creds/a': {},
  '$db/rotate-role/a': {},
  '$db/rotate-root/a': {},
  '$db/reset/a': {},
  'sys/mounts/$kv': { type: ['kv', 'none'] },
  'sys/mounts/$kv/tune': { default_lease_ttl: TTLS, max_lease_ttl: TTLS, description: ['x'] },
  'sys/auth/$ar': { type: ['approle', 'none'] },
  'sys/policies/acl/$n': { policy: [POLICY, '', 'path "a" {'] },
  'sys/policy/$n': { policy: [POLICY], rules: [POLICY] },
  'sys/capabilities': { paths: [['a/b', 'sys/mounts']] },
  'sys/capabilities-self': { paths: [['a/b', 'sys/mounts'], 'a,b'] },
  'sys/leases/lookup': LEASE,
  'sys/leases/renew': LEASE,
  'sys/leases/revoke': LEASE,
  'sys/leases/revoke-prefix/$n': LEASE,
  'sys/leases/revoke-force/$n': LEASE,
  'sys/wrapping/wrap': { a: [1, 'b'] },
  'sys/wrapping/unwrap': WRAPPED,
  'sys/wrapping/lookup': WRAPPED,
  'sys/seal-status': {},
  'no/such/mount': {},
  'sys/nonsense': {},
}

export interface ComparableRequest {
  method: string
  path: string
  body?: Record<string, unknown>
  headers: Record<string, string>
}

/** A request that two servers in the same state should answer alike. */
export function comparableRequest(random: SeededRandom, names: Record<string, string>): ComparableRequest {
  const route = random.pick(Object.keys(ROUTES))
  const isMount = /^sys\/(mounts|auth)\//.test(route)
  const method = random.pick(['GET', 'LIST', 'POST', 'POST', 'PUT', 'PATCH', isMount ? 'GET' : 'DELETE'])
  const path = route.replaceAll(/\$(kv|db|ar|n)/g, (_, name: string) => names[name]!)
  const fields = Object.entries(ROUTES[route]!) as [string, unknown[]][]
  const chosen = fields.filter(() => random.chance(2.5 / Math.max(fields.length, 2)))
  const hasBody = ['POST', 'PUT', 'PATCH'].includes(method)
  return {
    method,
    path,
    headers: method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {},
    ...(hasBody && { body: Object.fromEntries(chosen.map(([name, values]) => [name, random.pick(values)])) }),
  }
}
