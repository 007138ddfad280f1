import { spawn } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readAudit, type WrittenEvent } from '#lib/audit'
import { ThreadboundClient } from '#lib/client'
import { filesWith, formsOf, ProcessWatch } from '../support/canary.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { until } from '../support/tiny-service.ts'

/**
 * Attempts with a database user each, while worker, launcher, sidecar and Redis are killed in turn. `TB_LEASE_REQUESTS`
 * says how many requests; with those that are attempted again, 620 are 1,000 attempts, as `npm run test:soak` makes. Afterwards nothing that was leased may be left: no user, no lease, no token.
 */
const REQUESTS = Number(process.env['TB_LEASE_REQUESTS'] ?? 300)
const AT_ONCE = 16
/** What comes of each where nothing is killed. */
const TOLD = { return: 'completed', hold: 'completed', throw: 'failed', exit: 'failed', spin: 'timed-out' }
type End = keyof typeof TOLD
const ENDS = 'return return return hold return throw return exit return return'.split(' ') as End[]
const SPIN_EVERY = 50
const HOUR_MS = 3_600_000
const FILE = join(import.meta.dirname, '../support/leases/threadbound.yaml')
let cluster: TestCluster
let client: ThreadboundClient
let empty: { tokens: number; leases: number }
const outcomes: { end: End; outcome: string; type: string | undefined }[] = []
/** Shaped as keys are, and with what is escaped in JSON, in URLs and in base64. */
const CANARY = `canary-${randomBytes(15).toString('base64')}"/?>~`
/** No secret: told to be logged, so that it is known that the search finds what is there. */
const NOTE = `note-${randomBytes(15).toString('hex')}`
let environments: ProcessWatch
/** When contexts ended that ended by themselves, by request and attempt. */
const endedAt = new Map<string, number>()

/** When workers and launchers were killed. */
const killedAt: number[] = []

beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
  client = new ThreadboundClient({ url: cluster.ready.producer, apiKey: cluster.apiKey })
  await plant('canary', CANARY)
  environments = new ProcessWatch(() => cluster.pids(), formsOf(CANARY))
  empty = { tokens: (await vault('auth/token/accessors')).length, leases: (await leases()).length }
  await Promise.all([requests(), kills()])
  await client.wait((await client.enqueue('lessee', { end: 'throw', note: NOTE })).id, { timeoutMs: 60_000 })
  environments[Symbol.dispose]()
}, HOUR_MS)
afterAll(() => cluster?.[Symbol.asyncDispose]())

/** As an operator does, in Vault. */
async function plant(name: string, value: string): Promise<void> {
  const answer = await fetch(`${cluster.ready.vault}/v1/kv/data/tb/leases/test/${name}`, {
    method: 'POST',
    headers: { 'x-vault-token': rootToken() },
    body: JSON.stringify({ data: { value } }),
  })
  expect(answer.status).toBe(200)
}

const rootToken = () => readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8').trim()

interface Ended {
  outcome: string
  attempts: number
  error?: { type: string }
  receipt?: { endedAt?: number }
}

async function requests(): Promise<void> {
  let next = 0
  const lane = async () => {
    while (next < REQUESTS) outcomes.push(await one(next++))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

/** Whatever does not answer while it is started again is asked again, with the same key: no request is made twice. */
async function one(n: number): Promise<(typeof outcomes)[number]> {
  const end = n % SPIN_EVERY === SPIN_EVERY - 1 ? 'spin' : ENDS[n % ENDS.length]!
  const idempotencyKey = `lessee-${n}`
  for (;;)
    try {
      const { id } = await client.enqueue('lessee', { end }, { idempotencyKey })
      const { outcome, attempts, error, receipt } = (await client.wait(id, {
        timeoutMs: 120_000,
      })) as unknown as Ended
      if (receipt?.endedAt) endedAt.set(`${id} ${attempts}`, receipt.endedAt)
      return { end, outcome, type: error?.type }
    } catch {
      await delay(200)
    }
}

const VICTIMS: [service: string, program: string][] = [
  ['worker-lessee', 'services/worker/main.ts'],
  ['sidecar', 'services/sidecar/main.ts'],
  ['redis', 'redis-server'],
  ['worker-lessee', 'threadbound-launcher'],
]

/** Each is killed when an eighth more of the requests has ended: each twice. */
async function kills(): Promise<void> {
  for (let n = 0; n < VICTIMS.length * 2; n++) {
    const [service, program] = VICTIMS[n % VICTIMS.length]!
    await until(
      'requests end',
      () => outcomes.length >= ((n + 0.5) * REQUESTS) / (VICTIMS.length * 2),
      HOUR_MS,
    )
    const before = runsAgain(service)
    if (service === 'worker-lessee') killedAt.push(Date.now())
    process.kill(pidOf(program), 'SIGKILL')
    await until(`${service} runs again`, () => runsAgain(service) > before, 60_000)
  }
}

const auditLines = () => Array.fromAsync(readAudit(join(cluster.data, 'audit.log')))
const keyOf = ({ requestId, attempt }: WrittenEvent) => `${requestId} ${attempt}`

const runsAgain = (service: string) => cluster.said().split(`${service} runs again`).length - 1

function pidOf(program: string): number {
  const found = cluster.pids().find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program)
    } catch {
      return false
    }
  })
  if (!found) throw new Error(`no process runs ${program}`)
  return found
}

async function vault(path: string): Promise<string[]> {
  const headers = { 'x-vault-token': rootToken() }
  const answer = await fetch(`${cluster.ready.vault}/v1/${path}?list=true`, { headers })
  if (answer.status === 404) return []
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { data: { keys: string[] } }).data.keys
}

const leases = () => vault('sys/leases/lookup/database/creds/tb--leases--test--db--orders-db')

const left = async () => ({
  users: await databaseUsers(),
  leases: await leases(),
  // Of those that live on: the sidecar's own, and one for each agent type that reads static secrets.
  tooManyTokens: Math.max(0, (await vault('auth/token/accessors')).length - empty.tokens - 1),
})

/** The users that Vault's database engine has made. */
async function databaseUsers(): Promise<string[]> {
  const host = join(dirname(dirname(cluster.ready.redis.socket!)), 'postgres')
  const password = readFileSync(join(cluster.data, 'credentials/postgres-superuser'), 'utf8').trim()
  const db = new Client({ host, user: 'postgres', password, database: 'postgres' })
  await db.connect()
  try {
    const { rows } = await db.query<{ rolname: string }>(
      `SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'`,
    )
    return rows.map(({ rolname }) => rolname)
  } finally {
    await db.end()
  }
}

describe('I6: kill -9 of worker, launcher, sidecar and Redis, twice each, under attempts that lease', () => {
  test('every request has ended in the way that its agent was told, or in the way that the kill made it', () => {
    const others = outcomes.filter(({ end, outcome }) => outcome !== TOLD[end])
    const counts = Object.groupBy(others, ({ outcome, type }) => `${outcome} ${type}`)
    const text = Object.entries(counts).map(([how, all]) => `, ${how}: ${all!.length}`)
    console.info(`as told: ${outcomes.length - others.length} of ${REQUESTS}${text.join('')}`)
    expect(outcomes).toHaveLength(REQUESTS)
    // Interrupted: in the hands of a worker at both kills.
    const byKill = ['failed', 'timed-out', 'interrupted']
    expect(others.filter(({ outcome }) => !byKill.includes(outcome))).toEqual([])
    // The kills may cost some of them their last attempt.
    expect(others.length).toBeLessThan(REQUESTS / 12)
  })

  test('no user, no lease and no token is left, at 5 times the 2 s', async () => {
    const nothing = { users: [], leases: [], tooManyTokens: 0 }
    await expect.poll(left, { timeout: 10_000, interval: 200 }).toEqual(nothing)
  })

  test('what an attempt leased is revoked within 2 s of its end, at 5 times the slack', async () => {
    const revoked = (await auditLines()).filter(({ action }) => action === 'revoke')
    expect(revoked.some(({ revokedLeases }) => Number(revokedLeases) > 0)).toBe(true)
    const lateMs = revoked
      .map((line) => Date.parse(line.time) - (endedAt.get(keyOf(line)) ?? Infinity))
      .filter(Number.isFinite)
      .toSorted((a, b) => a - b)
    const at = (part: number) => lateMs[Math.floor((lateMs.length - 1) * part)]
    console.info(`revoked after the end, ms: p50 ${at(0.5)}, p99 ${at(0.99)}, of ${lateMs.length}`)
    expect(lateMs.length).toBeGreaterThan(REQUESTS / 2)
    expect(at(0.99)).toBeLessThan(10_000)
  })

  test('and within 2 s of the kill of its worker or launcher, at 5 times the slack', async () => {
    const granted = new Map(
      (await auditLines())
        .filter(({ action }) => action === 'grant')
        .map((line) => [keyOf(line), Date.parse(line.time)]),
    )
    const revoked = (await auditLines()).filter(({ action }) => action === 'revoke')
    const lateMs = killedAt.flatMap((at) =>
      revoked
        .filter((line) => granted.get(keyOf(line))! < at && Date.parse(line.time) > at)
        .map(({ time }) => Date.parse(time) - at),
    )
    console.info(`revoked after a kill, ms: at most ${Math.max(...lateMs)}, of ${lateMs.length}`)
    expect(lateMs.length).toBeGreaterThan(AT_ONCE / 2)
    expect(Math.max(...lateMs)).toBeLessThan(10_000)
  })
})

describe('I7: a value that every attempt was handed', () => {
  test('lies in no file, whether of Redis, logs, spans or audit: the search finds what is there', async () => {
    cluster.child.kill('SIGTERM')
    await once(cluster.child, 'exit')
    expect(filesWith(cluster.data, formsOf(CANARY), ['credentials'])).toEqual([])
    const found = filesWith(cluster.data, [NOTE], ['credentials'])
    for (const place of ['redis/', 'traces/', 'logs/worker-lessee.log'])
      expect(
        found.filter((file) => file.startsWith(place)),
        place,
      ).not.toEqual([])
  })

  test('is in no environment and no argument of any process, where the search finds what is there', async () => {
    expect([...environments.found]).toEqual([])
    expect(environments.seen.size).toBeGreaterThan(20)
    const child = spawn('sleep', ['60'], { env: { NOTE: formsOf(NOTE).at(-1)! } })
    using watch = new ProcessWatch(() => [child.pid!], formsOf(NOTE), 10)
    await expect.poll(() => watch.found.size).toBe(1)
    child.kill('SIGKILL')
  })

  test('is marked in the audit log at each use', () => {
    const key = readFileSync(join(cluster.data, 'credentials/audit-key'), 'utf8').trim()
    const mark = createHmac('sha256', key).update(CANARY).digest('hex')
    const uses = readFileSync(join(cluster.data, 'audit.log'), 'utf8').split(`"value":"hmac-sha256:${mark}"`)
    expect(uses.length).toBeGreaterThan(REQUESTS / 2)
  })
})
