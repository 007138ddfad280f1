import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PROBES } from '../../../services/cli/verify/canary/probes.ts'
import { Tries } from '../../../services/cli/verify/canary/tries.ts'
import type { Evidence } from '../../../services/cli/verify/checks.ts'
import type { Flown } from '../../../services/cli/verify/generation.ts'
import { listenersOfHost } from '../../../services/cli/verify/host/proc-net.ts'
import { type Cell, judge, ROWS } from '../../../services/cli/verify/judge.ts'
import { faultsOf, matrixText } from '../../../services/cli/verify/report.ts'
import { columnsOf } from '../../../services/cli/verify/verify.ts'
import { temporaryDirectory } from '../../support/directory.ts'

/** A canary that saw nothing, of a context as it must be. */
function flown(at: number, seen: Record<string, string[]> = {}, change: Partial<Flown> = {}): Flown {
  const tried = PROBES.map(({ name }) => [name, { seen: seen[name] ?? [], refused: { EPERM: 1 } }] as const)
  return {
    mark: { mark: `tb00000000-x-1-00${at}`, key: at },
    canary: { id: `c${at}`, pid: 100 + at },
    end: { outcome: 'completed' },
    said: { seen: Object.fromEntries(tried), faults: {} },
    snapshot: {
      pid: 100 + at,
      uids: [70_000 + at],
      gids: [70_000 + at],
      groups: [],
      capabilities: [],
      noNewPrivileges: true,
      descriptors: [],
    },
    shared: [],
    ...change,
  }
}

function evidence(all: Flown[], change: Partial<Evidence> = {}): Evidence {
  const bounded = {
    heap: { outcome: 'out-of-memory' as const },
    buffers: { outcome: 'out-of-memory' as const },
    spin: { outcome: 'timed-out' as const },
    timeoutMs: 500,
  }
  return { flown: all, bounded, heard: new Map(), files: [], processes: [], isRoot: true, ...change }
}
const cell = (cells: Cell[], row: string) => cells.find((one) => one.row === row)!
const broken = (cells: Cell[]) => cells.filter(({ verdict }) => verdict === 'BROKEN').map(({ row }) => row)

describe('I3: the judgement', () => {
  test('nothing seen: every promise is held', () => {
    const cells = judge('namespace', evidence([flown(0), flown(1)]))
    expect(cells.filter(({ promised, verdict }) => promised && verdict !== 'held')).toEqual([])
    expect(cell(cells, 'tcp').refused).toEqual({ EPERM: 2 })
  })

  test('the same sight is broken where it is promised against, and open where it is not', () => {
    const saw = evidence([flown(0, { 'public-files': ['/etc/passwd'] })])
    expect(cell(judge('namespace', saw), 'public-files')).toMatchObject({
      verdict: 'BROKEN',
      seen: ['/etc/passwd'],
    })
    expect(cell(judge('process', saw), 'public-files').verdict).toBe('open')
    expect(cell(judge('thread', evidence([flown(0)])), 'tcp').verdict).toBe('closed')
    expect(cell(judge(undefined, saw), 'public-files').verdict).toBe('open')
    expect(cell(judge(undefined, saw), 'tcp').verdict).toBe('blind')
  })

  test('a probe that some canary could not try is no promise held', () => {
    const silent = flown(1, {}, { end: { outcome: 'failed' }, said: undefined })
    const cells = judge('namespace', evidence([flown(0), silent]))
    expect(cell(cells, 'globals').verdict).toBe('untried')
    const column = { level: 'namespace' as const, permissionModel: true, cells, faults: [] }
    expect(faultsOf([column]).join('\n')).toContain('namespace, globals: no canary could say')
  })

  test.each<[string, Flown[], Partial<Evidence>]>([
    ['own-context', [flown(0), flown(1, {}, { canary: { id: 'c0', pid: 101 } })], {}],
    ['own-process', [flown(0), flown(1, {}, { canary: { id: 'c1', pid: 100 } })], {}],
    ['identity', [flown(0, {}, { snapshot: { ...flown(0).snapshot!, gids: [0] } })], {}],
    ['identity', [flown(0, {}, { snapshot: { ...flown(0).snapshot!, noNewPrivileges: false } })], {}],
    ['identity', [flown(0, {}, { snapshot: undefined })], {}],
    ['descriptors', [flown(0, {}, { shared: ['descriptor 9 leads to socket:[1]'] })], {}],
    ['left-files', [flown(0)], { files: ['/tmp/tb'] }],
    ['left-processes', [flown(0)], { processes: ['process 7'] }],
    ['redis', [flown(0)], { heard: new Map([['redis', ['heard']]]) }],
    ['heap-limit', [flown(0)], { bounded: { ...evidence([]).bounded!, heap: { outcome: 'completed' } } }],
    ['timeout', [flown(0)], { bounded: { ...evidence([]).bounded!, spin: { outcome: 'completed' } } }],
  ])('what the host saw breaks %s', (row, all, change) => {
    expect(broken(judge('namespace', evidence(all, change)))).toEqual([row])
  })

  test('without root one uid for all is as it must be', () => {
    const same = [flown(0), flown(1, {}, { snapshot: { ...flown(1).snapshot!, uids: [70_000] } })]
    expect(broken(judge('namespace', evidence(same)))).toEqual(['own-process'])
    expect(broken(judge('namespace', evidence(same, { isRoot: false })))).toEqual([])
  })

  test('rows have names of their own, and thread promises what DESIGN says', () => {
    expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length)
    const thread = ROWS.filter(({ promised }) => promised.includes('thread')).map(({ name }) => name)
    expect(thread).toEqual([
      'own-context',
      'globals',
      'prototypes',
      'modules',
      'timers',
      'async-storage',
      'heap-limit',
      'timeout',
    ])
  })
})

describe('the matrix', () => {
  test('has a column for each level and mode, the control first', () => {
    expect(columnsOf(['namespace', 'thread'])).toEqual([
      { permissionModel: false },
      { level: 'namespace', permissionModel: true },
      { level: 'namespace', permissionModel: false },
      { level: 'thread', permissionModel: true },
    ])
  })

  test('says what is broken, what is open, and what the host lacks', () => {
    const seen = evidence([flown(0, { tcp: ['TCP on ::1'], 'public-files': ['/etc/passwd'] })])
    const column = {
      level: 'process' as const,
      permissionModel: false,
      cells: judge('process', seen),
      faults: [],
    }
    const missing = [{ level: 'thread' as const, available: false, reason: 'no', remedy: 'write' }]
    const text = matrixText({ runs: 1, columns: [column], missing })
    expect(text).toMatch(/^tcp +BROKEN +TCP listeners/m)
    expect(text).toContain('process -p, public-files: /etc/passwd')
    expect(text).toContain('thread: no. To get it: write')
    expect(text).toMatch(/process -p: does NOT give what it promises, \d+ of \d+$/)
    expect(faultsOf([column])).toEqual(['BROKEN: process -p, tcp: TCP on ::1'])
  })
})

const refuse = () => {
  throw Object.assign(new Error('no'), { code: 'EPERM' })
}

describe('a canary', () => {
  test('tells a refusal from a fault of its own', async () => {
    const tries = new Tries()
    await tries.try('a', refuse)
    await tries.try('b', () => undefined)
    await tries.try('c', () => true)
    await tries.try('d', async () => 'more')
    expect(tries.result).toEqual({ seen: ['c', 'd: more'], refused: { EPERM: 1, nothing: 1 } })
    await expect(tries.try('e', () => (undefined as any).x)).rejects.toThrow(TypeError)
  })

  test('says little, whatever it sees', async () => {
    const tries = new Tries()
    for (let at = 0; at < 1000; at++) await tries.try(`${at}`, () => 'x'.repeat(1000))
    expect(tries.result.seen.at(-1)).toBe('and 994 more')
    expect(JSON.stringify(tries.result).length).toBeLessThan(2000)
  })
})

describe('the listeners of a host', () => {
  test('are read from the tables of the kernel', () => {
    using directory = temporaryDirectory()
    const put = (name: string, lines: string[]) =>
      writeFileSync(join(directory.path, name), ['head', ...lines, ''].join('\n'))
    mkdirSync(directory.path, { recursive: true })
    put('tcp', [
      '   0: 0100007F:1CFC 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1',
      '   1: 0100007F:1CFD 0100007F:0016 01 00000000:00000000 00:00000000 00000000 0 0 2',
      '   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 3',
    ])
    put('tcp6', [
      '   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0 0 0',
    ])
    put('udp', ['   0: 0200000A:0035 00000000:0000 07 00000000:00000000'])
    put('unix', [
      '0: 00000002 00000000 00010000 0001 01 10 /run/a b.sock',
      '0: 00000002 00000000 00010000 0001 01 11 @abstract',
      '0: 00000003 00000000 00000000 0001 03 12 /run/connected',
      '0: 00000002 00000000 00010000 0001 01 13',
    ])
    const found = listenersOfHost(directory.path).map(
      ({ kind, host, port, path }) => path ?? `${kind} ${host}:${port}`,
    )
    expect(found).toEqual([
      'tcp 127.0.0.1:7420',
      'tcp 127.0.0.1:22',
      'tcp 0000:0000:0000:0000:0000:0000:0000:0001:80',
      'udp 10.0.0.2:53',
      '/run/a b.sock',
      '\0abstract',
    ])
  })
})
