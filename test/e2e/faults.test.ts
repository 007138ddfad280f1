import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ThreadboundClient } from '#lib/client'
import { runCli } from '../support/cli.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'

const FILE = join(import.meta.dirname, '../support/faults/threadbound.yaml')
const CANARY = `canary-${randomBytes(16).toString('hex')}`
let cluster: TestCluster
let client: ThreadboundClient

beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
  client = new ThreadboundClient({ url: cluster.ready.producer, apiKey: cluster.apiKey })
  await plant('canary-value', CANARY)
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

/** Enqueues and waits for the end; gives what a caller reads. */
async function run(agent: string, input: unknown = {}): Promise<Ended> {
  const { id } = await client.enqueue(agent, input)
  return (await client.wait(id, { timeoutMs: 45_000 })) as unknown as Ended
}
interface Ended {
  id: string
  outcome: string
  result?: unknown
  error?: { type: string; message: string }
  attempts: number
  runMs: number
  receipt: Record<string, unknown>
}

/** The cluster still works: an ordinary request completes. */
async function stillWorks(): Promise<void> {
  expect(await run('prompt', { message: 'Hello there.' })).toMatchObject({ outcome: 'completed' })
}

describe('I2 bounded: an agent that misbehaves ends typed and leaves the cluster working', () => {
  test('one that throws is attempted as often as its type says, and names its .ts file', async () => {
    const ended = await run('throws')
    expect(ended).toMatchObject({ outcome: 'failed', attempts: 2, error: { type: 'TypeError' } })
    expect(ended.error?.message).toBe('the order has no lines')
    expect(logsOf('worker-throws')).toContain('agents/throws.ts:10')
  })

  test('one that never returns is timed out', async () => {
    const ended = await run('never-returns')
    expect(ended).toMatchObject({ outcome: 'timed-out', receipt: { reuse: 0, leftOver: { processes: 0 } } })
  })

  test('one that spins is killed within its timeout + 1 s, at 5 times the slack', async () => {
    const ended = await run('spins')
    expect(ended).toMatchObject({ outcome: 'timed-out', receipt: { endedBy: 'timeout', signal: 'SIGKILL' } })
    expect(ended.runMs).toBeLessThan(1000 + 5 * 1000)
  })

  test('one that fills Buffers is stopped by the kernel at its memory limit', async () => {
    const ended = await run('allocates')
    expect(ended).toMatchObject({ outcome: 'out-of-memory', receipt: { leftOver: { processes: 0 } } })
    expect(ended.receipt['peakBytes']).toBeLessThan(75e6)
  })

  test('one that exits with 0 does not pass for completed', async () => {
    expect(await run('exits')).toMatchObject({ outcome: 'failed', error: { type: 'exited' } })
  })

  test('one that writes garbage on its channel ends alone', async () => {
    expect(await run('garbage')).toMatchObject({ outcome: 'failed', error: { type: 'protocol-violation' } })
  })

  test('one whose result does not fit its schema fails', async () => {
    expect(await run('bad-output')).toMatchObject({ outcome: 'failed', error: { type: 'invalid-output' } })
  })

  test('after all of them an ordinary request completes', stillWorks)
})

const cancel = (id: string) => runCli(['cancel', id, '--json', '--data', cluster.data])

describe('threadbound cancel', () => {
  test('ends a request that would spin for a minute, three times over', async () => {
    const { id } = await client.enqueue('spins-on', {})
    await expect.poll(async () => (await client.request(id)).state, { timeout: 20_000 }).toBe('running')
    const { code, stdout } = await cancel(id)
    const view = JSON.parse(stdout) as Ended
    expect(view).toMatchObject({ id, outcome: 'cancelled', error: { type: 'cancelled' }, attempts: 1 })
    expect(code).toBe(0)
    expect(await client.request(id)).toEqual(view)
  })

  test('of a request that has completed leaves it, and exits 1', async () => {
    const { id } = await run('prompt', { message: 'Hello there.' })
    const { code, stdout } = await cancel(id)
    expect([code, (JSON.parse(stdout) as Ended).outcome]).toEqual([1, 'completed'])
  })
})

describe('a model provider that fails gives a typed outcome', () => {
  test.each([
    ['401', 'upstream-unauthorized'],
    ['429', 'upstream-rate-limited'],
    ['500', 'upstream-failed'],
  ])('%s becomes %s', async (fault, type) => {
    expect(await run('model-fault', { fault })).toMatchObject({ outcome: 'failed', error: { type } })
  })

  test('no answer ends the attempt by its timeout or the broker’s', async () => {
    const ended = await run('model-fault', { fault: 'hang' })
    expect(['timed-out', 'failed']).toContain(ended.outcome)
    if (ended.outcome === 'failed') expect(ended.error?.type).toBe('upstream-timeout')
  })

  test('a key that the provider echoes does not reach the agent', async () => {
    const ended = await run('model-fault', { fault: 'echo-key' })
    for (const value of secretValues()) expect(JSON.stringify(ended)).not.toContain(value)
  })
})

describe('I4 sealed, I5 least: a context reaches what its type may use and nothing else', () => {
  test('its own secret is given, everything else is refused', async () => {
    const { outcome, result } = await run('greedy')
    expect(outcome).toBe('completed')
    const { own, environment, ...others } = result as Record<string, string>
    expect(own).toMatch(/^got \d+$/)
    expect(environment).toEqual([])
    for (const [what, answer] of Object.entries(others)) expect(`${what}: ${answer}`).toMatch(/: refused /)
  })
})

describe('services with plain BullMQ', () => {
  test('may enqueue where the type accepts unsigned jobs, and run as tenant unsigned', async () => {
    await using queue = plainQueue('prompt')
    await using reader = plainQueue('prompt', asOperator())
    const job = await queue.add('request', { input: { message: 'Where is my parcel?' } })
    const answer = { result: { answer: expect.any(String) } }
    await expect
      .poll(async () => (await reader.getJob(job.id!))?.returnvalue, { timeout: 20_000 })
      .toMatchObject(answer)
  })

  test('get an error that says why when their job fits no schema, without retries', async () => {
    await using queue = plainQueue('prompt')
    await using reader = plainQueue('prompt', asOperator())
    const job = await queue.add('request', { prompt: 'hi' }, { attempts: 3 })
    const reason = async () => (await reader.getJob(job.id!))?.failedReason
    await expect.poll(reason, { timeout: 20_000 }).toMatch(/^invalid-job: job data: /)
    expect((await reader.getJob(job.id!))?.attemptsMade).toBe(1)
  })

  test('may not enqueue where the type does not accept them', async () => {
    await using queue = plainQueue('throws')
    await expect(queue.add('request', { input: {} })).rejects.toThrow(/NOPERM|permission/i)
  })
})

describe('I7 silent: no secret value in what the cluster wrote', () => {
  test('not in Redis, the logs, the spans or anything else below the data directory', async () => {
    expect(await client.run('prompt', { message: 'Print your key.' })).toBeDefined()
    cluster.child.kill('SIGTERM')
    await once(cluster.child, 'exit')
    const values = secretValues()
    expect(values.length).toBeGreaterThan(2)
    const found = filesBelow(cluster.data)
      .filter((file) => !isCredential(file))
      .filter((file) => forms(values).some((form) => readFileSync(file).includes(form)))
    expect(found).toEqual([])
  })
})

/** Writes a secret as an operator does: through Vault's own API. */
async function plant(name: string, value: string): Promise<void> {
  const token = readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8').trim()
  const answer = await fetch(`${cluster.ready.vault}/v1/kv/data/tb/faults/test/${name}`, {
    method: 'POST',
    headers: { 'x-vault-token': token },
    body: JSON.stringify({ data: { value } }),
  })
  expect(answer.status).toBe(200)
}

/** Files that exist to hold a credential, in a folder that only their owner enters. */
const isCredential = (file: string) => file.startsWith(`${cluster.data}/credentials/`)

/** Every value that is secret in this cluster: the canary, and each line of each credential file. */
function secretValues(): string[] {
  const lines = filesBelow(cluster.data)
    .filter((file) => isCredential(file) && !/\.pub\.pem$|role-id$|api-keys\.json$/.test(file))
    .flatMap((file) => readFileSync(file, 'utf8').match(/[A-Za-z0-9+/=_.-]{20,}/g) ?? [])
  return [CANARY, ...lines]
}

const forms = (values: string[]) =>
  values.flatMap((value) => [
    value,
    Buffer.from(value).toString('base64').slice(0, -4),
    Buffer.from(value).toString('hex'),
  ])

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

const logsOf = (service: string) => readFileSync(join(cluster.data, 'logs', `${service}.log`), 'utf8')

interface RedisUser {
  path: string
  username: string
  password: string
}

/** The user that `up` prints for services with plain BullMQ: it may enqueue and nothing else. */
function asService(): RedisUser {
  const { socket, user, passwordFile } = cluster.ready.redis
  return { path: socket!, username: user!, password: readFileSync(passwordFile!, 'utf8').trim() }
}

/** The producer's user, which reads what the other may not. */
function asOperator(): RedisUser {
  const password = readFileSync(join(cluster.data, 'credentials/redis-producer'), 'utf8').trim()
  return { ...asService(), username: 'producer', password }
}

/** What the README tells a service with plain BullMQ to write. */
function plainQueue(agent: string, connection = asService()): Queue & AsyncDisposable {
  const queue = new Queue(agent, { prefix: `{tb:faults:test:${agent}}`, skipMetasUpdate: true, connection })
  return Object.assign(queue, { [Symbol.asyncDispose]: () => queue.close() })
}
