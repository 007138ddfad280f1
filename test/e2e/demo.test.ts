import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Processes whose command line names the project, this test's own left out. */
function ours(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(join(ROOT, 'services/')) ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })
}

test(
  'the demo sends every line of requests.jsonl, each in a context of its own (I1), and leaves no process',
  { timeout: 240_000 },
  () => {
    const before = ours()
    const command = join(ROOT, 'services/cli/threadbound.mjs')
    const run = spawnSync(process.execPath, [command, 'demo', '--json'], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    const records = run.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, any>)
    const lines = readFileSync(join(ROOT, 'deploy/demo/requests.jsonl'), 'utf8').trim().split('\n')
    expect(records).toHaveLength(lines.length)
    expect(records.length).toBeGreaterThanOrEqual(20)
    for (const record of records) {
      expect(Object.keys(record)).toEqual([
        'id',
        'agent',
        'outcome',
        'attempts',
        'result',
        'error',
        'traceId',
        'queuedMs',
        'runMs',
        'keys',
        'receipt',
      ])
      expect(Object.keys(record['receipt'])).toEqual([
        'context',
        'level',
        'reuse',
        'pid',
        'peakBytes',
        'endedBy',
      ])
      expect(record['receipt'].reuse).toBe(0)
    }
    const served = new Set(records.flatMap(({ keys }) => keys as string[]))
    expect([...served].toSorted()).toEqual(['anthropic-api-key 1', 'openai-api-key 1', 'openai-api-key 2'])
    expect(new Set(records.map((record) => record['receipt'].context)).size).toBe(records.length)
    expect(ours().filter((line) => !before.includes(line))).toEqual([])
  },
)
