import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { AttemptEnd, LevelReport } from '#lib/context'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const script = here('../support/as-anyone.ts')
const walls = here('../support/walls-as-anyone.ts')
const probe = here('../support/levels-as-anyone.ts')
const as = (uid: number) => ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', '--inh-caps=-all']
const UID = 61_234
/** A checkout below a private home cannot be reached by another uid. */
const reachable =
  process.getuid!() === 0 &&
  spawnSync('setpriv', [...as(UID), process.execPath, '--check', script]).status === 0

async function asAnyone<T>(args: string[], uid = UID): Promise<T> {
  const run = promisify(execFile)
  const env = { TMPDIR: '/tmp' }
  const { stdout } = await run('setpriv', [...as(uid), process.execPath, '--no-warnings', ...args], { env })
  return JSON.parse(stdout) as T
}

const reports = reachable ? await asAnyone<LevelReport[]>([probe]) : []
const given = reports.filter(({ available }) => available).map(({ level }) => level)

test.runIf(reachable)('without root a level is given, or refused with what is missing', () => {
  for (const { level, available, reason, remedy } of reports)
    expect([level, available || (reason && remedy)]).not.toContain(undefined)
  if (process.env['CI']) expect(given).toEqual(expect.arrayContaining(['namespace', 'process']))
})

describe.each(given.filter((level) => level !== 'thread'))('I2 and I3 without root, at level %s', (level) => {
  test('limits hold without a cgroup and without a uid of its own, and the receipt says by what', async () => {
    const tasks = ['plain', 'buffers', 'shared', 'wasm', 'heap']
    const { ends } = await asAnyone<{ ends: AttemptEnd[] }>([script, level, ...tasks])
    const outcomes = ends.map(({ outcome }, at) => [tasks[at], outcome])
    const none = tasks.slice(1).map((task) => [task, 'out-of-memory'])
    expect(outcomes).toEqual([['plain', 'completed'], ...none])
    expect(ends[0]).toMatchObject({ result: UID, receipt: { uid: UID, level, leftOver: { processes: 0 } } })
    expect(ends[0]!.receipt.limits).toMatchObject({
      memoryBytes: { value: 80e6, by: 'rlimit-data' },
      processes: { value: 256, by: 'rlimit-nproc' },
      openFiles: { value: 256, by: 'rlimit-nofile' },
      cpuWeight: { value: 110, by: 'nice' },
      diskBytes: level === 'process' ? { value: 0, by: 'landlock' } : { by: 'tmpfs' },
    })
    // V8's own end leaves nobody to ask; whoever reports that memory is out can be measured.
    const [plain, buffers] = ends.map(({ receipt }) => receipt)
    expect(plain).toMatchObject({ overshootBytes: 0, cpuMs: expect.any(Number) })
    expect(buffers!.peakBytes).toBeGreaterThan(40e6)
    for (const { receipt } of ends) expect(receipt.overshootBytes ?? 0).toBeLessThanOrEqual(16 * 2 ** 20)
  })

  test.runIf(level === 'namespace')('files in its temporary folders count as memory', async () => {
    const { ends } = await asAnyone<{ ends: AttemptEnd[] }>([script, level, 'files'])
    expect(ends.map(({ outcome }) => outcome)).toEqual(['out-of-memory'])
    expect(ends[0]!.receipt.peakBytes).toBeGreaterThan(12e6)
    expect(ends[0]!.receipt.overshootBytes).toBeGreaterThan(0)
  })

  test('a daemon of its own session and a parent that is gone ends with the attempt', async () => {
    // A uid that nobody else runs anything as.
    const uid = UID + 1 + (process.pid % 3000)
    const { ends, left } = await asAnyone<{ ends: AttemptEnd[]; left: number }>(
      [script, level, 'daemon'],
      uid,
    )
    expect(ends.map(({ outcome, result, receipt }) => [outcome, result, receipt.leftOver.processes])).toEqual(
      [['completed', 0, 0]],
    )
    expect(left).toBe(0)
  })
})

describe.runIf(given.includes('process'))('I4 without root, at level process: the kernel alone', () => {
  test('nothing of another process of the same uid can be reached, with the permission model off', async () => {
    const { seen, after } = await asAnyone<{ seen: Record<string, string>; after: object }>([walls])
    const done = Object.keys(seen).filter((what) => !seen[what]!.startsWith('refused'))
    // kill(-1) says nothing of those whom it did not reach; a stream pair reaches no one else.
    expect(done).toEqual(['killAll', 'streamPair'])
    expect(Object.keys(seen).length).toBeGreaterThan(40)
    expect(after).toEqual({ victim: true, mode: 0o600 })
  })
})
