import { once } from 'node:events'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MASK } from '#lib/secrets'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { temporaryDirectory } from '../support/directory.ts'
import { processesBelow } from '../support/processes.ts'
import { formsOf } from '../support/leaky/agents/forms.ts'

const SECRET = 'canary/Zq9+plain_value-0123456789'
const MARKER = 'marker-that-is-no-secret'
const WAYS = ['result', 'log', 'progress', 'emit', 'span', 'call', 'stdout', 'stderr']
const folder = temporaryDirectory()
let cluster: TestCluster

beforeAll(async () => {
  const file = fileURLToPath(new URL('../support/leaky/threadbound.yaml', import.meta.url))
  cluster = await startCluster({ cluster: file, data: join(folder.path, 'data') })
  const token = readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8').trim()
  const answer = await fetch(`${cluster.ready.vault}/v1/kv/data/tb/leaky/test/plain`, {
    method: 'POST',
    headers: { 'x-vault-token': token },
    body: JSON.stringify({ data: { value: SECRET } }),
  })
  expect(answer.status).toBe(200)
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

/** The longest part of every form: whatever surrounds it. */
const searched = Object.values(formsOf(SECRET)).map((form) => form.slice(10, -4))

/** Files below the data directory that hold a text, by their names. */
function filesWith(text: string): string[] {
  const files = globSync('**', { cwd: cluster.data }).filter((name) =>
    statSync(join(cluster.data, name)).isFile(),
  )
  return files.filter((name) => readFileSync(join(cluster.data, name)).includes(text))
}

function auditLines(): { action: string; agentType: string; outlet?: string }[] {
  const lines = readFileSync(join(cluster.data, 'audit.log'), 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

/** Posts a request and waits until its agent has its secret. Gives what reads its record. */
async function begun(agent: string) {
  const body = JSON.stringify({ agent, input: {} })
  const { id } = (await (await cluster.call('/v1/requests', { method: 'POST', body })).json()) as {
    id: string
  }
  const log = () => readFileSync(join(cluster.data, `logs/worker-${agent}.log`), 'utf8')
  await expect.poll(log, { timeout: 30_000, interval: 20 }).toContain('holds it')
  return async (wait: string): Promise<any> => await (await cluster.call(`/v1/requests/${id}${wait}`)).json()
}

/** The sidecar's process id. */
const sidecarOf = ({ child }: TestCluster) =>
  processesBelow(child.pid!).find(({ command }) => command.at(-1)!.endsWith('services/sidecar/main.ts'))!.pid

describe('I7: an agent that tells everybody what it was trusted with', () => {
  test.each(['tells', 'tells-process', 'tells-thread'])(
    'as %s has told nobody: its caller reads masks, beside what was no secret',
    async (agent) => {
      const view = JSON.stringify(await cluster.run(agent, { marker: MARKER }))
      expect(view).toContain('"outcome":"completed"')
      expect(view).toContain(MARKER)
      expect(view.split(MASK).length).toBeGreaterThan(10)
      for (const form of searched) expect(view).not.toContain(form)
    },
  )

  test('fails without it in type, message and stack', async () => {
    const view = await cluster.run('breaks', { marker: MARKER })
    expect(view).toMatchObject({
      outcome: 'failed',
      error: { type: 'masked', message: `message ${MARKER} ${MASK}` },
    })
    for (const form of searched) expect(JSON.stringify(view)).not.toContain(form)
  })

  test.each([
    ['tells', WAYS],
    ['tells-process', WAYS],
    ['tells-thread', WAYS],
    ['breaks', ['error']],
  ])('as %s stands in the audit log, by every way that it tried', async (agent, ways) => {
    const outlets = () => auditLines().flatMap((line) => (line.agentType === agent ? line.outlet : []))
    // What left masked does not wait for the log.
    await expect.poll(outlets).toEqual(expect.arrayContaining(ways))
  })

  test('I2: holds its slot no longer than its timeout + 1 s, at 5 times the slack, when its sidecar is frozen', async () => {
    const view = await begun('stays')
    const sidecar = sidecarOf(cluster)
    process.kill(sidecar, 'SIGSTOP')
    try {
      const { outcome, enqueuedAt, endedAt } = await view('?wait=30s')
      expect(outcome).toBe('timed-out')
      expect(endedAt - enqueuedAt).toBeLessThan(2000 + 5 * 1000)
    } finally {
      process.kill(sidecar, 'SIGCONT')
    }
  })

  test('has failed, and told nothing, when its sidecar is killed before its last words', async () => {
    const view = await begun('waits')
    process.kill(sidecarOf(cluster), 'SIGKILL')
    expect(await view('?wait=30s')).toMatchObject({
      outcome: 'failed',
      error: { type: 'redaction-unavailable' },
    })
    // The next sidecar clears what later attempts say.
    const next = () => cluster.run('breaks', { marker: MARKER })
    await expect.poll(next, { timeout: 60_000, interval: 500 }).toMatchObject({ error: { type: 'masked' } })
  })

  test('leaves nothing of it in Redis, logs, traces and audit, where its other words are', async () => {
    cluster.child.kill('SIGTERM')
    await once(cluster.child, 'exit')
    const withMarker = filesWith(MARKER)
    for (const place of [/redis/, /log/, /trace/])
      expect(withMarker.some((name) => place.test(name))).toBe(true)
    for (const form of searched) expect(filesWith(form)).toEqual([])
    expect(filesWith('secret-in-output').some((name) => /redis/.test(name))).toBe(true)
  })
})
