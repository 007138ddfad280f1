import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { text as readText } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { listenersOfHost } from '../../../services/cli/verify/host/proc-net.ts'
import type { Level } from '#lib/wire'
import type { Column } from '../../../services/cli/verify/column.ts'
import { ROWS } from '../../../services/cli/verify/judge.ts'
import { faultsOf, type record } from '../../../services/cli/verify/report.ts'
import { type OpenStage, openStage } from '../../../services/cli/verify/stage.ts'
import { verify } from '../../../services/cli/verify/verify.ts'
import { runCli } from '../../support/cli.ts'
import { levels } from '../../support/contexts.ts'
import { withoutUserNamespaces } from '../../support/no-user-namespaces.ts'
import { openReusingStage } from '../../support/faulty/reusing-stage.ts'

const TIMEOUT_MS = 300_000
const WAIT = { timeout: 120_000, interval: 100 }
const COMMAND = fileURLToPath(new URL('../../../services/cli/main.ts', import.meta.url))
const faulty = (name: string) => fileURLToPath(new URL(`../../support/faulty/${name}.ts`, import.meta.url))
const isRoot = process.getuid!() === 0

/** One column alone, on walls that `open` makes. */
async function columnOf(level: Level, permissionModel: boolean, open: OpenStage): Promise<Column> {
  const columns = [{ level, permissionModel }]
  const { signal } = new AbortController()
  const [column] = await verify({ columns, runs: 2, openStage: open, signal })
  return column!
}
const launchedBy =
  (name: string): OpenStage =>
  (options) =>
    openStage({ ...options, launcherMain: faulty(name) })
const brokenRows = ({ cells }: Column) =>
  cells.filter(({ verdict }) => verdict === 'BROKEN').map(({ row }) => row)

/** What verification could leave behind, by the names that it gives. */
const leftOnHost = () => [
  ...['/tmp', '/var/tmp', '/dev/shm', '/run', '/', '/etc'].flatMap((folder) =>
    readdirSync(folder).filter((name) => /^tb[0-9a-f]{8}-|^threadbound-verify-/.test(name)),
  ),
  ...listenersOfHost().flatMap(({ path }) => (path?.includes('threadbound-verify-') ? [path] : [])),
]

const BEFORE = leftOnHost()

/** Another verification on this machine goes away again; what is ours and left would stay. */
async function expectNothingLeft(): Promise<void> {
  const found = leftOnHost().filter((one) => !BEFORE.includes(one))
  await expect.poll(() => leftOnHost().filter((one) => found.includes(one)), WAIT).toEqual([])
}

function programOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`)
  } catch {
    return undefined
  }
}

/** The processes that run this checkout's Node. */
const ofThisNode = () =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && programOf(pid) === programOf('self'))

describe('I3: verify-isolation says what this host gives', () => {
  let found: ReturnType<typeof record>
  let code: number | null
  beforeAll(async () => {
    const run = await runCli(['verify-isolation', '--runs', '3', '--json'])
    code = run.code
    found = JSON.parse(run.stdout) as typeof found
  }, TIMEOUT_MS)

  test('every level that this host gives keeps all its promises, with the permission model and without', () => {
    expect(found.faults).toEqual([])
    expect([found.kept, code]).toEqual([true, 0])
    for (const level of levels.filter((one) => one !== 'thread'))
      for (const permissionModel of [true, false]) {
        const column = found.columns.find(
          (one) => one.level === level && one.permissionModel === permissionModel,
        )
        const promised = column!.cells.filter((cell) => cell.promised)
        expect(promised.length).toBeGreaterThan(30)
        expect(promised.filter(({ verdict }) => verdict !== 'held')).toEqual([])
      }
  })

  test('every probe sees something where there are no walls, so that not seeing it means something', () => {
    const { level, cells } = found.columns[0]!
    expect(level).toBeNull()
    // The limits would take the control down; a host without a hypervisor has nobody to answer on vsock.
    const cannot = ['heap-limit', 'memory-limit', 'timeout', 'vsock']
    const without = cells.filter(({ row, verdict }) => verdict !== 'open' && !cannot.includes(row))
    expect(isRoot ? without : []).toEqual([])
  })

  test('the JSON has every row in every column', () => {
    expect(found.rows.map(({ name }) => name)).toEqual(ROWS.map(({ name }) => name))
    for (const { cells } of found.columns)
      expect(cells.map(({ row }) => row)).toEqual(found.rows.map(({ name }) => name))
    expect(found).toMatchObject({ runs: 3, node: process.version })
    expect(found.columns[0]!.cells[0]).toEqual({
      row: 'own-context',
      promised: false,
      verdict: 'open',
      seen: [expect.stringContaining('context control: 6 attempts')],
      refused: {},
    })
  })

  test('what is not promised is said: level process shows files that everyone may read', () => {
    if (!levels.includes('process') || !isRoot) return
    const bare = found.columns.find(({ level, permissionModel }) => level === 'process' && !permissionModel)!
    expect(bare.cells.find(({ row }) => row === 'public-files')).toMatchObject({
      promised: false,
      verdict: 'open',
    })
  })

  test('nothing is left on the host', async () => {
    await expectNothingLeft()
  })
})

const walled = levels.filter((level) => level !== 'thread')
const FRESH = ['own-context', 'globals', 'prototypes', 'modules', 'timers', 'async-storage']

describe.each(walled)('I1: a pool that reuses contexts turns it red, at level %s', (level) => {
  test('in what an attempt finds of the one before', { timeout: TIMEOUT_MS }, async () => {
    const column = await columnOf(level, true, openReusingStage)
    const expected = [...FRESH, 'environment', 'cwd-umask']
    expect(brokenRows(column)).toEqual(expect.arrayContaining(expected))
    expect(faultsOf([column]).join('\n')).toMatch(new RegExp(`^BROKEN: ${level}, globals: tb`, 'm'))
    await expectNothingLeft()
  })
})

describe.each(walled)('I4: a hole turns it red, at level %s', (level) => {
  test.runIf(isRoot)('a launcher that skips the change of uid', { timeout: TIMEOUT_MS }, async () => {
    const column = await columnOf(level, false, launchedBy('root-launcher'))
    const { seen } = column.cells.find(({ row }) => row === 'identity')!
    expect(brokenRows(column)).toContain('identity')
    expect(seen.join('\n')).toMatch(/uid 0$/m)
    if (level === 'process')
      expect(brokenRows(column)).toEqual(expect.arrayContaining(['private-files', 'signals']))
    await expectNothingLeft()
  })

  test('a launcher that leaves a descriptor open', { timeout: TIMEOUT_MS }, async () => {
    const column = await columnOf(level, true, launchedBy('descriptor-launcher'))
    expect(brokenRows(column)).toEqual(['descriptors'])
    const { seen } = column.cells.find(({ row }) => row === 'descriptors')!
    expect(seen.join('\n')).toMatch(/descriptor 2\d\d/)
  })
})

describe('verify-isolation refuses', () => {
  test.each(['1', '51', 'x', '2.5'])('--runs %s', async (runs) => {
    const { code, stderr } = await runCli(['verify-isolation', '--runs', runs])
    expect([code, stderr]).toEqual([
      2,
      `threadbound: --runs: expected a number from 2 to 50, found "${runs}"\n`,
    ])
  })

  test.runIf(isRoot)('a level that this host does not give, with the way to it', async () => {
    const child = await withoutUserNamespaces(['verify-isolation', '--level', 'namespace'])
    const [stderr, [code]] = await Promise.all([readText(child.stderr!), once(child, 'exit')])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^ *namespace: .+ To get it: .*max_user_namespaces/m)
  })

  test('interrupted, it ends with 130 and leaves nothing', { timeout: TIMEOUT_MS }, async () => {
    const before = ofThisNode()
    const child = spawn(process.execPath, [COMMAND, 'verify-isolation'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    for await (const text of child.stderr.iterator({ destroyOnReturn: false })) {
      if (String(text).includes('namespace') || String(text).includes('process')) break
    }
    child.stderr.resume()
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect(code).toBe(130)
    await expectNothingLeft()
    await expect.poll(() => ofThisNode().filter((pid) => !before.includes(pid)), WAIT).toEqual([])
  })
})
