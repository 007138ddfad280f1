import { expect, test } from 'vitest'
import { DevVault } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import { seededRandom } from '../../support/seeded-random.ts'

const rootToken = 'root-token-of-the-fuzz'
const words = (text: string) => text.trim().split(/\s+/)
const SEGMENTS = [
  ...words(`sys auth token approle kv database data metadata config roles role creds create lookup renew revoke
    leases wrapping wrap unwrap policies acl mounts login secret-id role-id a b %20 %00 .. . %2F %ff __proto__ tune
    constructor capabilities-self lookup-self accessors undelete destroy health é + *`),
  '',
]
/** Where the routes are; `*` becomes a random segment. The root token is never told to revoke itself. */
const ROUTES = words(`
  auth/token/create auth/token/create/* auth/token/create-orphan auth/token/lookup auth/token/lookup-self
  auth/token/lookup-accessor auth/token/accessors auth/token/renew auth/token/renew-self auth/token/renew-accessor
  auth/token/revoke auth/token/revoke-accessor auth/token/revoke-orphan auth/token/roles auth/token/roles/*
  auth/approle/role auth/approle/role/* auth/approle/role/*/role-id auth/approle/role/*/secret-id
  auth/approle/role/*/secret-id/lookup auth/approle/role/*/secret-id/destroy auth/approle/login
  auth/approle/role/*/secret-id-accessor/lookup auth/approle/role/*/secret-id-accessor/destroy
  auth/approle/role/*/custom-secret-id auth/approle/role/*/policies auth/approle/role/*/period
  auth/approle/role/*/token-bound-cidrs auth/approle/role/*/secret-id-bound-cidrs auth/approle/tidy/secret-id
  kv/data/* kv/data/*/* kv/subkeys/* kv/* kv/metadata kv/metadata/* kv/delete/* kv/undelete/* kv/destroy/* kv/config
  database/config database/config/* database/roles database/roles/* database/creds/* database/reset/*
  database/static-roles database/static-roles/* database/static-creds/* database/rotate-role/* database/rotate-root/*
  sys/mounts sys/mounts/* sys/mounts/kv/tune sys/auth sys/auth/* sys/policies/acl sys/policies/acl/* sys/policy/*
  sys/capabilities sys/capabilities-self sys/capabilities-accessor sys/leases/lookup sys/leases/lookup/*
  sys/leases/renew sys/leases/revoke sys/leases/revoke-prefix/* sys/init sys/unseal sys/seal-status sys/audit sys/audit/* sys/audit-hash/*
  sys/wrapping/wrap sys/wrapping/unwrap sys/wrapping/lookup`)
const KEYS =
  words(`data options cas policies ttl period num_uses meta id token accessor type lease_id increment policy
  paths role_id secret_id versions db_name plugin_name connection_url allowed_roles creation_statements default_ttl
  metadata config sync key reset input username rotation_period secret_id_bound_cidrs token_bound_cidrs cidr_list depth
  delete_version_after connection_details root_rotation_statements __proto__ constructor path_suffix token_type max_versions custom_metadata`)
const TEXTS = words(
  `1m -1m 5s 99999999999999h 10.0.0.0/8 ::1/129 a root default fake kv-v2 approle database service batch e30= {"a":1}`,
)
const ODD = [null, true, false, 0, 1, -1, 1.5, 1e308, 1e15, '', '\u0000', 'path "a" {', 'x'.repeat(5000)]
const NESTED = [[], [1, 'a', null], ['root'], [[]], {}, { a: 1 }, { cas: 'x' }, { a: { b: null } }]
const VALUES: unknown[] = [...TEXTS, ...ODD, ...NESTED]

/** What a real Vault answers with 500 as well, since its plugins' errors are no errors of the caller. */
const SAID_BY_VAULT_TOO =
  /role_id already in use|failed to find entry for connection|is not an allowed role|unable to finish rotating/

test('no method, path, token or body makes an internal error or ends the process', async () => {
  await using vault = await DevVault.open({ clock: systemClock, rootToken, log: silentLog })
  const { random, pick } = seededRandom(7)
  const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(`${vault.address}/v1/${path}`, {
      method,
      redirect: 'manual',
      headers: { 'x-vault-token': random() < 0.9 ? rootToken : 'hvs.nobody', ...headers },
      ...(body !== undefined && { body }),
    })
  for (const [path, type] of [
    ['sys/mounts/kv', 'kv-v2'],
    ['sys/mounts/database', 'database'],
    ['sys/auth/approle', 'approle'],
  ] as const)
    await call('POST', path, JSON.stringify({ type }), { 'x-vault-token': rootToken })
  const counts = new Map<number, number>()
  for (let round = 0; round < 5000; round++) {
    const method = pick(['GET', 'POST', 'PUT', 'DELETE', 'LIST', 'PATCH', 'HEAD', 'OPTIONS'])
    const path =
      random() < 0.7
        ? pick(ROUTES).replaceAll('*', () => pick(random() < 0.5 ? ['a', 'b'] : SEGMENTS))
        : Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(SEGMENTS)).join('/')
    const fields = Object.fromEntries(
      Array.from({ length: Math.floor(random() * 4) }, () => [pick(KEYS), pick(VALUES)]),
    )
    const mayHaveBody = ['POST', 'PUT', 'PATCH'].includes(method)
    const body = random() < 0.05 ? pick(['[', '"a"', '[1]', 'null', '\u0000']) : JSON.stringify(fields)
    const headers: Record<string, string> = {
      ...(method === 'PATCH' && { 'content-type': 'application/merge-patch+json' }),
      ...(random() < 0.1 && { 'x-vault-wrap-ttl': pick(['1', '60s', 'x', '-1', '0']) }),
    }
    const query =
      random() < 0.1 ? pick(['?list=true', '?list=x', '?version=x', '?version=-1', '?a=1&a=2']) : ''
    const response = await call(method, path + query, mayHaveBody ? body : undefined, headers)
    const text = await response.text()
    const answer = text === '' ? undefined : JSON.parse(text)
    if (response.status === 500)
      expect(answer.errors[0], `${method} ${path}${query} ${body}`).toMatch(SAID_BY_VAULT_TOO)
    counts.set(response.status, (counts.get(response.status) ?? 0) + 1)
  }
  expect([...counts.keys()]).toEqual(expect.arrayContaining([200, 204, 400, 404, 405]))
  expect((await call('GET', 'sys/health')).status).toBe(200)
})

test('a body that is nested without end is 400, one beyond the cap 413', async () => {
  await using vault = await DevVault.open({ clock: systemClock, rootToken, log: silentLog })
  const post = (body: string) =>
    fetch(`${vault.address}/v1/sys/wrapping/wrap`, {
      method: 'POST',
      headers: { 'x-vault-token': rootToken, 'x-vault-wrap-ttl': '60' },
      body,
    })
  expect((await post(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).status).toBe(400)
  expect((await post(JSON.stringify({ a: 'x'.repeat(33 * 2 ** 20) }))).status).toBe(413)
})
