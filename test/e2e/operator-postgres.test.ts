import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { temporaryDirectory } from '../support/directory.ts'
import { openScratchPostgres } from '../support/scratch-postgres.ts'

const ROOT = join(import.meta.dirname, '../..')
const clusterText = (port: number) => `
cluster: boats
defaults: { attempts: 1, timeout: 20s }
agents:
  counter: { handler: ./counter.ts, secrets: [boats-db] }
secrets:
  boats-db-admin: { provider: postgres-admin }
  boats-db:
    provider: postgres
    connect: { host: 127.0.0.1, port: ${port}, database: postgres, admin-secret: boats-db-admin }
    grant: ["SELECT ON ALL TABLES IN SCHEMA public"]
`
const AGENT = `
import { Client } from 'pg'
import { defineAgent } from 'threadbound/agent'

export default defineAgent({
  async run(_input: unknown, ctx) {
    const lease = await ctx.secrets.lease('boats-db')
    const db = new Client({ ...lease.credentials, stream: () => lease.connect() })
    await db.connect()
    const { rows } = await db.query('SELECT count(*)::int AS boats, current_user AS as FROM boats')
    await db.end()
    return rows[0]
  },
})
`

test('a database outside is leased from as soon as its admin secret is put, and a wrong one changes nothing', async () => {
  await using postgres = await openScratchPostgres()
  await postgres.query(`CREATE TABLE boats (id int); INSERT INTO boats VALUES (1), (2)`)
  using directory = temporaryDirectory()
  const root = join(realpathSync(directory.path), 'root')
  mkdirSync(root)
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  writeFileSync(join(root, 'counter.ts'), AGENT)
  writeFileSync(join(root, 'threadbound.yaml'), clusterText(postgres.port))
  await using cluster = await startCluster({ cluster: join(root, 'threadbound.yaml') })
  expect(cluster.said()).toContain('secret boats-db: its admin secret has no value yet')
  expect(await cluster.run('counter', {})).toMatchObject({ outcome: 'failed' })

  const put = (value: string) => {
    const create = ['secrets', 'create', '--name', 'boats-db-admin', '--provider', 'postgres-admin']
    return runCli([...create, '--value', '-', '--data', cluster.data], { stdin: value })
  }
  const refused = await put('admin:not-the-password')
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toContain(`Vault cannot use the database 127.0.0.1:${postgres.port}/postgres`)
  const taken = await put(`admin:${postgres.password}`)
  expect(taken.stdout).toContain('boats-db: leased as this user from now on')

  const ended = await cluster.run('counter', {})
  expect(ended).toMatchObject({ outcome: 'completed', result: { boats: 2 } })
  const { as: user } = ended['result'] as { as: string }
  await expect.poll(() => postgres.query(`SELECT 1 FROM pg_roles WHERE rolname = '${user}'`)).toEqual([])
  expect((await runCli(['policies', 'verify', '--data', cluster.data])).code).toBe(0)
})
