import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { processesBelow } from '../support/processes.ts'
import { askRotator, rotatorOf, viewRotation } from '../support/rotator-operator.ts'

const FILE = join(import.meta.dirname, '../support/rotation/threadbound.yaml')
/** Timeout, both times of the cache and the skew. */
const GRACE_MS = 2000 + 1000 + 1000 + 2000
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const rotate = (body: object) =>
  askRotator(rotatorOf(cluster.data), {
    method: 'POST',
    path: '/v1/rotations',
    body: { secret: 'openai-api-key', operator: 'ann', ...body },
  })

const put = (every: string | null) =>
  askRotator(rotatorOf(cluster.data), {
    method: 'PUT',
    path: '/v1/schedules',
    body: { secret: 'openai-api-key', operator: 'ann', every },
  })

/** The rotator's answer; undefined while it is away. */
const accepted = () => rotate({ revokeOld: true }).catch(() => undefined)
const viewed = () => viewRotation(cluster.data).catch(() => undefined)

const pidOf = (program: string) =>
  processesBelow(cluster.child.pid!).find(({ command }) => command.at(-1)!.endsWith(program))!.pid

async function untilAnswered(wanted: (view: Awaited<ReturnType<typeof viewRotation>>) => boolean) {
  await expect
    .poll(async () => viewed().then((view) => view !== undefined && wanted(view)), { timeout: 60_000 })
    .toBe(true)
}

async function until(wanted: (view: Awaited<ReturnType<typeof viewRotation>>) => boolean) {
  for (;;) {
    const view = await viewRotation(cluster.data)
    if (wanted(view)) return view
    await delay(100)
  }
}

describe('a rotation in a running cluster', () => {
  test('is planned from the start, and a dry run changes nothing', async () => {
    const view = await until(({ nextAt }) => nextAt !== null)
    expect(view).toMatchObject({ state: 'idle', every: 'daily', scheduledBy: 'cluster file', history: [] })
    const { body } = await rotate({ dryRun: true })
    expect(body).toMatchObject({ accepted: false, graceMs: GRACE_MS })
    expect((await viewRotation(cluster.data)).history).toEqual([])
  })

  test('goes through while requests run: none fails, and the old key is dead at the end', async () => {
    const before = await cluster.run('writer', { message: 'hello' })
    expect(before).toMatchObject({ outcome: 'completed' })
    expect((await rotate({})).body).toMatchObject({ accepted: true })
    const outcomes: unknown[] = []
    const ended = until(({ state, history }) => state === 'idle' && history.length > 0)
    const over = new AbortController()
    void ended.then(() => over.abort())
    while (!over.signal.aborted || outcomes.length <= 10)
      outcomes.push((await cluster.run('writer', { message: 'hello' }))['outcome'])
    const { history } = await ended
    expect(new Set(outcomes)).toEqual(new Set(['completed']))
    expect(history.map(({ state }) => state)).toEqual([
      'creating',
      'created',
      'verified',
      'promoted',
      'grace',
      'revoked',
      'idle',
    ])
    expect(history[0]).toMatchObject({ who: 'ann', generation: 1 })
    expect(history.at(-1)).toMatchObject({ generation: 2 })
  })

  test('with the old key to be revoked is over at once', async () => {
    const { history: before } = await viewRotation(cluster.data)
    await rotate({ revokeOld: true })
    const { history } = await until((view) => view.state === 'idle' && view.history.length > before.length)
    const at = (wanted: string) => history.findLast(({ state }) => state === wanted)!.at
    expect(at('revoked') - at('promoted')).toBeLessThan(GRACE_MS)
    expect(await cluster.run('writer', { message: 'hello' })).toMatchObject({ outcome: 'completed' })
  })

  test('is asked for by nobody without the credential, for no secret that is not rotated, and in no other words', async () => {
    const access = rotatorOf(cluster.data)
    const wrong = { ...access, credentialFile: join(cluster.data, 'credentials/operator') }
    expect((await askRotator(wrong)).status).toBe(401)
    const unknown = await rotate({ secret: 'openai-admin-key' })
    expect(unknown).toMatchObject({
      status: 404,
      body: { error: { message: expect.stringContaining('openai-api-key') } },
    })
    expect((await rotate({ now: true })).status).toBe(400)
  })

  test('follows the schedule that an operator sets, until it is taken back', async () => {
    expect((await put('hourly')).status).toBe(400)
    expect((await put('monthly')).body).toMatchObject({ every: 'monthly', scheduledBy: 'ann' })
    await until(({ nextAt }) => nextAt !== null && new Date(nextAt).getUTCDate() === 1)
    expect((await put(null)).body).toMatchObject({ every: 'daily', scheduledBy: 'cluster file' })
  })

  test.each(['rotator', 'vault'])('is there again after kill -9 of the %s', async (service) => {
    const runs = () => cluster.said().split(`${service} runs again`).length
    const before = { runs: runs(), rotatedAt: (await viewRotation(cluster.data)).rotatedAt! }
    process.kill(pidOf(`services/${service === 'vault' ? 'dev/vault' : service}/main.ts`), 'SIGKILL')
    await expect.poll(runs, { timeout: 60_000 }).toBeGreaterThan(before.runs)
    await expect.poll(async () => (await accepted())?.status, { timeout: 60_000 }).toBe(200)
    await untilAnswered((view) => view.state === 'idle' && view.rotatedAt! > before.rotatedAt)
    expect(await cluster.run('writer', { message: 'hello' })).toMatchObject({ outcome: 'completed' })
  })

  test('leaves no value of any generation in a file of the cluster but those of its Vault and stand-in', async () => {
    const log = join(cluster.data, 'logs/rotator.log')
    expect(existsSync(log)).toBe(true)
    expect(readFileSync(log, 'utf8')).not.toMatch(/sk-/)
  })
})
