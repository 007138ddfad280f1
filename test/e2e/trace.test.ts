import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TreeRow } from '#lib/traces'
import { runCli } from '../support/cli.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'

const INPUT = { message: 'Where is my parcel?', question: 'How many orders are there?' }
let cluster: TestCluster
let view: { id: string; traceId: string; outcome: string; error?: unknown }

beforeAll(async () => {
  cluster = await startCluster()
  view = (await cluster.run('coordinator', INPUT)) as never
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

const cli = (args: string[], options = {}) => runCli([...args, '--data', cluster.data], options)
const json = async (args: string[], options = {}) => {
  const run = await cli([...args, '--json'], options)
  expect(run.stderr).toBe('')
  return JSON.parse(run.stdout)
}

const readTree = async () => (await json(['trace', view.id])).tree

/** `parent > child`, by name, of every span. */
const edges = (rows: TreeRow[]) => {
  const names = new Map(rows.map(({ span }) => [span.spanId, span.name]))
  return rows.map(({ span }) => `${names.get(span.parentSpanId ?? '') ?? '-'} > ${span.name}`)
}

/** Every step of the request and of both calls. */
const STEPS = ['coordinator', 'request-handler', 'database-agent'].flatMap((agent) => [
  `POST /v1/requests > send ${agent}`,
  `send ${agent} > process ${agent}`,
  `process ${agent} > context.acquire`,
  `process ${agent} > grant`,
  `process ${agent} > invoke_agent ${agent}`,
  `process ${agent} > revoke`,
  `process ${agent} > context.free`,
])
const MODELS = ['claude-opus-4-5-thinking', 'claude-sonnet-4.2', 'gpt-4-turbo'].map((name) => `chat ${name}`)
const isOfSecret = (name: string) => /^secret\.read|^secret\.lease|^lease/.test(name)

/** The tree once all of it is there: every process sends its spans when it likes, and none waits for another's. */
async function tree(): Promise<{ rows: TreeRow[]; orphans: number }> {
  const lacking = async () => {
    const { rows, orphans } = (await readTree()) as { rows: TreeRow[]; orphans: number }
    const names = rows.map(({ span }) => span.name)
    const found = new Set([...edges(rows), ...names])
    const missing = [...STEPS, ...MODELS].filter((one) => !found.has(one))
    return { orphans, missing, hasSecrets: names.filter(isOfSecret).length >= 2 }
  }
  await expect
    .poll(lacking, { timeout: 30_000, interval: 500 })
    .toEqual({ orphans: 0, missing: [], hasSecrets: true })
  return await readTree()
}

describe('I10 one trace: a coordinator request', () => {
  test('completes, and its trace is one tree without orphans that holds every step of it and of both calls', async () => {
    expect(view, JSON.stringify(view)).toMatchObject({ outcome: 'completed' })
    const { rows } = await tree()
    const found = edges(rows)
    expect(found[0]).toBe('- > POST /v1/requests')
    expect(found.filter((edge) => edge.startsWith('- > '))).toHaveLength(1)
    expect(found.filter((edge) => edge === 'invoke_agent coordinator > POST /v1/requests')).toHaveLength(2)
    const process = rows.filter(({ span }) => span.name.startsWith('process '))
    for (const { span } of process) {
      expect(span.attributes['threadbound.queue.wait_ms']).toBeGreaterThanOrEqual(0)
      expect(span.attributes['threadbound.outcome']).toBe('completed')
    }
    expect(rows.filter(({ span }) => span.status === 'error')).toEqual([])
    expect(new Set(rows.map(({ span }) => span.traceId))).toEqual(new Set([view.traceId]))
  })

  test('the text form shows the same tree', async () => {
    await tree()
    const { code, stdout } = await cli(['trace', view.traceId])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^trace ${view.traceId}: \\d+ spans, `))
    expect(stdout).not.toContain('orphan')
    for (const part of [
      'invoke_agent database-agent',
      'waited-ms=',
      'level=',
      'revoked=',
      'secret=orders-db',
    ])
      expect(stdout).toContain(part)
  })
})

describe('the command against a running cluster', () => {
  const input = JSON.stringify({ message: 'Hello there.' })

  test('enqueue --wait prints the result and exits 0, from the command line, a file and stdin', async () => {
    const file = join(cluster.data, 'input.json')
    writeFileSync(file, input)
    const runs = await Promise.all([
      cli(['enqueue', 'request-handler', '--input', input, '--wait']),
      cli(['enqueue', 'request-handler', '--input', `@${file}`, '--wait']),
      cli(['enqueue', 'request-handler', '--input', '-', '--wait'], { stdin: input }),
    ])
    for (const run of runs) {
      expect(run, run.stderr).toMatchObject({ code: 0, stderr: '' })
      expect(run.stdout).toContain('completed')
      expect(run.stdout).toContain('"answer"')
    }
    const ended = await json(['enqueue', 'request-handler', '--input', input, '--wait'])
    expect(ended).toMatchObject({ state: 'ended', outcome: 'completed', attempts: 1 })
  })

  test('enqueue prints the id alone; request shows it, as text and as JSON', async () => {
    const { stdout } = await cli(['enqueue', 'request-handler', '--input', input])
    const id = stdout.trim()
    expect(id).toMatch(/^request-handler\.[0-9a-f]{32}$/)
    await expect.poll(async () => (await json(['request', id])).state, { timeout: 20_000 }).toBe('ended')
    const shown = await cli(['request', id])
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/queue wait +(\d+ ms|[\d.]+ s)/)
    expect(await json(['enqueue', 'request-handler', '--input', input])).toMatchObject({
      url: expect.any(String),
    })
  })

  test('a request that fails exits 1 and says by what', async () => {
    const ask = ['enqueue', 'database-agent', '--input', '{"question":"Write me a poem"}', '--wait']
    const failed = await cli(ask)
    expect(failed.code).toBe(1)
    expect(failed.stdout).toContain('failed')
    const shown = await runCli([...ask, '--json', '--data', cluster.data])
    expect(shown.code).toBe(1)
    expect(JSON.parse(shown.stdout)).toMatchObject({ outcome: 'failed', error: { type: expect.any(String) } })
  })

  test.each([
    ['input that its schema refuses', ['request-handler', '--input', '{"mesage":1}'], 1, /field input/],
    ['an agent type that is not there', ['nobody', '--input', '{}'], 1, /nobody/],
    ['JSON that is none', ['request-handler', '--input', '{oops'], 2, /--input: expected JSON/],
    ['a file that is not there', ['request-handler', '--input', '@/nowhere.json'], 2, /nowhere\.json/],
  ])('%s is refused with a reason', async (_what, args, code, why) => {
    const run = await cli(['enqueue', ...args])
    expect(run.code).toBe(code)
    expect(run.stderr).toMatch(why)
    expect(run.stdout).toBe('')
  })

  test('a request or trace that is not there exits 1', async () => {
    expect((await cli(['request', `coordinator.${'0'.repeat(32)}`])).code).toBe(1)
    expect((await cli(['trace', '0'.repeat(31) + '1'])).code).toBe(1)
  })

  test('agents lists every type with its slots and level', async () => {
    const names = ['coordinator', 'request-handler', 'database-agent']
    const all = (await json(['agents'])) as { name: string; slots: number; level: string }[]
    expect(all.map(({ name }) => name).toSorted()).toEqual(names.toSorted())
    for (const one of all) expect(one).toMatchObject({ slots: expect.any(Number), level: 'namespace' })
    const { stdout } = await cli(['agents'])
    for (const name of names) expect(stdout).toMatch(new RegExp(`^${name} .* namespace `, 'm'))
  })
})
