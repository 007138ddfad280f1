import { describe, expect, test } from 'vitest'
import { planPolicies, type PolicyInput } from '#lib/vault'

const input: PolicyInput = {
  cluster: 'demo',
  environment: 'dev',
  agentTypes: [
    { name: 'writer', secrets: [{ name: 'anthropic-api-key', kind: 'static' }] },
    {
      name: 'database-agent',
      timeoutMs: 7_200_000,
      secrets: [
        { name: 'orders-db', kind: 'database' },
        { name: 'openai-api-key', kind: 'static' },
      ],
    },
  ],
  databases: [
    {
      secret: 'orders-db',
      adminSecret: 'orders-db-admin',
      host: '127.0.0.1',
      port: 5432,
      database: 'orders',
      grant: ['SELECT ON ALL TABLES IN SCHEMA public'],
      ttlMs: 300_000,
    },
  ],
}
/** Paths and capabilities of a policy's text. */
const rulesOf = (text: string) =>
  [...text.matchAll(/^path "([^"]+)" \{\n {2}capabilities = \[([^\]]+)\]/gm)].map(
    ([, path, can]) => `${path} ${can}`,
  )
const textOf = (name: string) => planPolicies(input).policies.find((policy) => policy.name === name)!.text

describe('I5 least: what a plan allows', () => {
  test('an agent type reads its own secrets and nothing else', () => {
    expect(rulesOf(textOf('tb--demo--dev--agent--database-agent'))).toEqual([
      'auth/token/revoke-self "update"',
      'database/creds/tb--demo--dev--db--orders-db "read"',
      'kv/data/tb/demo/dev/openai-api-key "read"',
      'sys/leases/renew "update"',
    ])
    expect(rulesOf(textOf('tb--demo--dev--agent--writer'))).toEqual([
      'auth/token/revoke-self "update"',
      'kv/data/tb/demo/dev/anthropic-api-key "read"',
    ])
  })

  test('the sidecar reads no secret: it mints by the listed roles and ends what it minted', () => {
    expect(rulesOf(textOf('tb--demo--dev--sidecar'))).toEqual([
      'auth/token/create/tb--demo--dev--agent--database-agent "update"',
      'auth/token/create/tb--demo--dev--agent--writer "update"',
      'auth/token/lookup-accessor "update"',
      'auth/token/lookup-self "read"',
      'auth/token/renew-self "update"',
      'auth/token/revoke-accessor "update"',
      'auth/token/revoke-self "update"',
      'kv/data/tb/demo/dev--audit/sidecar "create", "update"',
    ])
  })

  test('the sidecar cannot name policies, a period or a parent when it mints', () => {
    const text = textOf('tb--demo--dev--sidecar')
    const allowed = [...text.matchAll(/^ {4}"([a-z_]+)" = \[\]$/gm)].map(([, name]) => name)
    expect(new Set(allowed)).toEqual(new Set(['display_name', 'explicit_max_ttl', 'meta', 'ttl']))
  })

  test('the rotator writes the secrets that it rotates, reads what it makes values with, and nothing else', () => {
    const rotated = [{ secret: 'openai-api-key', adminSecret: 'openai-admin-key' }]
    const plan = planPolicies({ ...input, rotated })
    const { text } = plan.policies.find(({ name }) => name === 'tb--demo--dev--rotator')!
    expect(rulesOf(text)).toEqual([
      'auth/token/lookup-self "read"',
      'auth/token/renew-self "update"',
      'auth/token/revoke-self "update"',
      'kv/data/tb/demo/dev--pending/openai-api-key "create", "read", "update"',
      'kv/data/tb/demo/dev--rotation/openai-api-key "create", "read", "update"',
      'kv/data/tb/demo/dev/openai-admin-key "read"',
      'kv/data/tb/demo/dev/openai-api-key "create", "read", "update"',
      'kv/metadata/tb/demo/dev--pending/openai-api-key "delete"',
    ])
  })

  test('the rotator makes and ends secret-ids of the AppRole that it is told, and cannot change the role', () => {
    const plan = planPolicies({ ...input, rotated: [{ secret: 'login', appRole: 'ci' }] })
    const { text } = plan.policies.find(({ name }) => name === 'tb--demo--dev--rotator')!
    expect(rulesOf(text).filter((rule) => rule.includes('approle'))).toEqual([
      'auth/approle/role/ci/role-id "read"',
      'auth/approle/role/ci/secret-id "list", "update"',
      'auth/approle/role/ci/secret-id-accessor/destroy "update"',
      'auth/approle/role/ci/secret-id-accessor/lookup "update"',
      'auth/approle/role/ci/secret-id/lookup "update"',
    ])
  })

  test('no token role can give the policy of the rotator, and an AppRole of its own has no other', () => {
    const plan = planPolicies({ ...input, rotated: [{ secret: 'openai-api-key' }] })
    expect(JSON.stringify(plan.tokenRoles)).not.toContain('rotator')
    const role = plan.appRoles.find(({ name }) => name === 'tb--demo--dev--rotator')!.role
    expect(role).toMatchObject({ token_policies: ['tb--demo--dev--rotator'], secret_id_num_uses: 1 })
  })

  test('where nothing rotates there is no rotator', () => {
    const { policies, appRoles } = planPolicies(input)
    expect(JSON.stringify([policies, appRoles])).not.toContain('--rotator')
  })

  test('no policy has a wildcard, sudo, or a path of the system beyond lease renewal', () => {
    for (const { text } of planPolicies(input).policies)
      for (const rule of rulesOf(text)) {
        expect(rule).not.toMatch(/[*+]|sudo|delete|list/)
        if (rule.includes('create"')) expect(rule).toMatch(/^kv\/data\/tb\/demo\/dev--audit\/sidecar /)
        if (rule.startsWith('sys/')) expect(rule).toBe('sys/leases/renew "update"')
      }
  })

  test('a token role gives one policy, a bounded life, and a token that dies with the sidecar', () => {
    const [database, writer] = planPolicies(input).tokenRoles
    expect(writer).toEqual({
      name: 'tb--demo--dev--agent--writer',
      role: {
        allowed_policies: ['tb--demo--dev--agent--writer'],
        allowed_policies_glob: [],
        allowed_entity_aliases: [],
        token_no_default_policy: true,
        token_type: 'service',
        orphan: false,
        renewable: false,
        token_period: '0s',
        path_suffix: '',
        token_explicit_max_ttl: '3600s',
      },
    })
    expect(database!.role).toMatchObject({ token_explicit_max_ttl: '7260s' })
  })

  test('a leased user has the declared rights, and its end cuts its sessions', () => {
    const [{ name, role, connection }] = planPolicies(input).databases as [never] as [
      { name: string; role: Record<string, string[]>; connection: Record<string, unknown> },
    ]
    expect(role['creation_statements']).toEqual([
      `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
      'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}";',
    ])
    const statements = role['revocation_statements']!.join('\n')
    expect(statements).toMatch(/NOLOGIN[^]*pg_terminate_backend[^]*DROP OWNED BY[^]*DROP ROLE/)
    expect(connection).toMatchObject({
      connection_url: 'postgresql://{{username}}:{{password}}@127.0.0.1:5432/orders',
      allowed_roles: [name],
    })
  })

  test('a unix socket takes the place of the host', () => {
    const databases = [{ ...input.databases[0]!, socket: '/run/tb/pg' }]
    const [database] = planPolicies({ ...input, databases }).databases
    expect(database!.connection['connection_url']).toBe(
      'postgresql://{{username}}:{{password}}@/orders?host=%2Frun%2Ftb%2Fpg&port=5432',
    )
  })

  test('the order of the cluster file does not change a plan', () => {
    const agentTypes = input.agentTypes
      .toReversed()
      .map((type) => ({ ...type, secrets: type.secrets.toReversed() }))
    expect(JSON.stringify(planPolicies({ ...input, agentTypes }))).toBe(JSON.stringify(planPolicies(input)))
  })

  test('a name that would reach into another path is refused', () => {
    const agentTypes = [{ name: 'a', secrets: [{ name: '../x', kind: 'static' as const }] }]
    expect(() => planPolicies({ ...input, agentTypes })).toThrow(/secret "..\/x"/)
  })

  test('a database that cannot be planned yet changes nothing but its own connection', () => {
    const without = planPolicies({ ...input, databases: [] })
    expect(without.databases).toEqual([])
    expect(without.policies).toEqual(planPolicies(input).policies)
  })
})
