import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ThreadboundClient } from '#lib/client'
import { vaultNames } from '#lib/vault'
import { startCluster } from '../../support/cluster.ts'

const ROOT = join(import.meta.dirname, '../../..')
const STATIC = ['plain', 'second', 'third', 'service']
const SLOTS = 8

/** A cluster whose agents use secrets, and its Vault, whose requests are counted. */
export interface SecretsCluster extends AsyncDisposable {
  client: ThreadboundClient
  /** Requests that Vault has had since its record began; `timed`: those among them that come with time, not with attempts. */
  vaultCalls: () => { all: number; timed: number }
}

/** Starts it; `service` is what the broker may call. */
export async function openSecretsCluster(service: string): Promise<SecretsCluster> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tb-bs-')), (path) =>
    rmSync(path, { recursive: true, force: true }),
  )
  cpSync(join(import.meta.dirname, 'agents'), join(folder, 'agents'), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  mkdirSync(join(folder, 'data'), { mode: 0o700 })
  writeFileSync(join(folder, 'threadbound.json5'), JSON.stringify(clusterFile(service)))
  const data = join(folder, 'data')
  const up = stack.use(await startCluster({ cluster: join(folder, 'threadbound.json5'), data }))
  const token = readFileSync(join(data, 'credentials/vault-root-token'), 'utf8').trim()
  const vault = async (path: string, body: object) => {
    const init = { method: 'POST', headers: { 'x-vault-token': token }, body: JSON.stringify(body) }
    const answer = await fetch(`${up.ready.vault}/v1/${path}`, init)
    if (!answer.ok) throw new Error(`Vault, ${path}: ${answer.status} ${await answer.text()}`)
  }
  for (const name of STATIC)
    await vault(`kv/data/tb/bench/dev/${name}`, { data: { value: `value-of-${name}-0123456789` } })
  // Vault's own record, in the log of its process.
  await vault('sys/audit/bench', { type: 'file', options: { file_path: 'stdout' } })
  const client = new ThreadboundClient({ url: up.ready.producer, apiKey: up.apiKey })
  const log = join(data, 'logs/vault.log')
  const head = vaultNames({ cluster: 'bench', environment: 'dev' }).auditHead('sidecar')
  const vaultCalls = () => {
    const requests = readFileSync(log, 'utf8').split('"type":"request"').slice(1)
    return { all: requests.length, timed: requests.filter((request) => request.includes(head)).length }
  }
  const whole = stack.move()
  return { client, vaultCalls, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}

const clusterFile = (service: string) => ({
  cluster: 'bench',
  development: { 'stand-in': ['postgres'] },
  defaults: { attempts: 1, timeout: '60s' },
  agents: {
    prober: { type: 'thread-bound', handler: './agents/prober.ts', secrets: ['plain', 'service'] },
    reader: {
      type: 'thread-bound',
      handler: './agents/reader.ts',
      secrets: ['plain', 'second', 'third', 'orders-db'],
      'max-concurrency': SLOTS,
    },
  },
  secrets: {
    plain: { provider: 'generic', deliver: 'value' },
    second: { provider: 'generic', deliver: 'value' },
    third: { provider: 'generic', deliver: 'value' },
    service: {
      provider: 'generic',
      egress: {
        'base-url': service,
        header: 'authorization: Bearer {value}',
        allow: ['GET /now', 'GET /slow'],
      },
    },
    'orders-db-admin': { provider: 'postgres-admin' },
    'orders-db': {
      provider: 'postgres',
      connect: { host: '127.0.0.1', database: 'orders', 'admin-secret': 'orders-db-admin' },
      grant: ['SELECT ON ALL TABLES IN SCHEMA public'],
    },
  },
})
