import { expect, test } from 'vitest'
import { statusOf } from '../../../services/cli/secrets/report.ts'
import { parse } from '../cluster/samples.ts'

const connect = 'connect: { host: h, database: d, admin-secret: adm }'

test('a login of roles that take turns has a generation and an age, a database that users are leased on has none', () => {
  const cluster = parse(`secrets:
  roles: { provider: postgres-roles, ${connect} }
  leased: { provider: postgres, ${connect}, grant: ["SELECT ON t"] }
  adm: { provider: postgres-admin }
`)
  const stored = { generation: 3, isPresent: true, isRevoked: false, writtenAt: Date.now() }
  const statusFor = (name: string) => statusOf({ cluster } as never, cluster.secrets[name]!, stored as never)
  expect(statusFor('roles')).toMatchObject({ generation: 3, isPresent: true, isRevoked: false })
  expect(statusFor('leased')).not.toHaveProperty('generation')
})
