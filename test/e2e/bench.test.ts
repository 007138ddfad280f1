import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { levels } from '../support/contexts.ts'

const MAIN = fileURLToPath(new URL('../bench/main.ts', import.meta.url))
const run = promisify(execFile)

const rate = z.number().positive()
const target = z.union([z.strictObject({ atMost: z.number() }), z.strictObject({ atLeast: z.number() })])
const Fact = z.strictObject({
  what: z.string(),
  value: z.number(),
  unit: z.enum(['x', 'ms', 'MB', '%', 'calls']),
  target,
  met: z.boolean(),
})
/** The shape that scripts may rely on; times are whatever this machine gives. */
const Report = z.strictObject({
  benchmark: z.literal('contexts'),
  quick: z.literal(true),
  host: z.strictObject({
    node: z.string(),
    kernel: z.string(),
    cpus: z.int(),
    memoryBytes: z.int(),
    isRoot: z.boolean(),
    levels: z.array(z.string()),
    load: z.number(),
  }),
  contenders: z.array(
    z.strictObject({
      name: z.string(),
      walls: z.enum(['none', 'thread', 'process', 'namespace']),
      reused: z.boolean(),
      primitive: z.string().optional(),
    }),
  ),
  throughput: z.array(
    z.strictObject({
      workload: z.literal('noop'),
      contender: z.string(),
      atOnce: z.int(),
      perSecond: rate,
      rounds: z.array(rate),
      toPrimitive: rate.nullable(),
    }),
  ),
  firstLine: z.array(
    z.strictObject({
      workload: z.literal('noop'),
      contender: z.string(),
      arrivalsPerSecond: z.int(),
      samples: z.int().positive(),
      p50Ms: rate,
      p99Ms: rate,
      keptUp: z.boolean(),
    }),
  ),
  memory: z.array(
    z.strictObject({ workload: z.literal('noop'), contender: z.string(), pssBytes: z.number() }),
  ),
  facts: z.array(Fact),
})

test('the benchmark of contexts runs every contender, and its JSON has the shape that scripts rely on', async () => {
  const { stdout } = await run(process.execPath, [MAIN, 'contexts', '--quick', '--json'])
  const report = Report.parse(JSON.parse(stdout))
  const names = report.contenders.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(levels.map((level) => `threadbound ${level}`)))
  expect(report.contenders.filter(({ reused }) => reused).map(({ name }) => name)).toEqual([
    'BullMQ inline',
    'BullMQ sandbox, process',
    'BullMQ sandbox, thread',
  ])
  for (const rows of [report.throughput, report.firstLine, report.memory])
    expect(rows.map(({ contender }) => contender)).toEqual(names)
  const compared = report.contenders.filter(({ primitive }) => primitive)
  expect(report.throughput.filter(({ toPrimitive }) => toPrimitive !== null)).toHaveLength(compared.length)
  for (const { value, target, met } of report.facts)
    expect(met).toBe('atMost' in target ? value <= target.atMost : value >= target.atLeast)
  expect(report.facts.length).toBeGreaterThanOrEqual(3 + levels.length * 4)
}, 600_000)

const times = z.strictObject({ p50Ms: rate, p99Ms: rate, slowP50Ms: rate })
const SecretsReport = z.strictObject({
  benchmark: z.literal('secrets'),
  quick: z.literal(true),
  coldMs: rate,
  warm: z.strictObject({ p50Ms: rate, p99Ms: rate, perSecond: rate }),
  calls: z.strictObject({ direct: times, brokered: times }),
  facts: z.array(Fact).length(4),
})

test('the benchmark of secrets counts what an attempt that leases asks of Vault', async () => {
  const { stdout } = await run(process.execPath, [MAIN, 'secrets', '--quick', '--json'])
  const { facts } = SecretsReport.parse(JSON.parse(stdout))
  expect(facts.at(-1)).toMatchObject({ unit: 'calls', met: true })
  expect(facts.at(-1)!.value).toBeGreaterThan(2)
})

test('an unknown benchmark is refused with the usage', async () => {
  const failed = (await run(process.execPath, [MAIN, 'nothing']).catch((error: unknown) => error)) as {
    code: number
    stderr: string
  }
  expect(failed.code).toBe(2)
  expect(failed.stderr).toContain('usage: npm run bench -- contexts')
})
