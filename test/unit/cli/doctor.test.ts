import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { LevelReport } from '#lib/context'
import { factsOf, type Measured } from '../../../services/cli/doctor/facts.ts'
import { Host } from '../../../services/cli/doctor/host.ts'
import { diagnosisText, isReady, record } from '../../../services/cli/doctor/report.ts'
import { temporaryDirectory } from '../../support/directory.ts'

const MEASURED: Measured = {
  memoryBy: 'cgroup-v2',
  landlockAbi: 7,
  uids: { left: 900_000, total: 1_000_000 },
  kernel: '6.18.0 x64',
  node: 'v26.10.0',
}
const GOOD = {
  '/proc/sys/kernel/core_pattern': 'core',
  '/proc/swaps': 'Filename Type Size Used Priority',
  '/proc/sys/user/max_user_namespaces': '9000',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process errno allow',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never',
}
const PROGRAMS = ['/usr/bin/redis-server', '/usr/lib/postgresql/17/bin/postgres', '/usr/bin/bwrap']

/** A host whose files are these, and what doctor says of it, by name. */
function setup({
  files = {},
  programs = PROGRAMS,
  measured = {},
}: { files?: Record<string, string | undefined>; programs?: string[]; measured?: Partial<Measured> } = {}) {
  using directory = temporaryDirectory()
  for (const [file, text] of Object.entries({ ...GOOD, ...files }))
    if (text !== undefined) put(join(directory.path, file), `${text}\n`)
  for (const program of programs) {
    put(join(directory.path, program), '')
    chmodSync(join(directory.path, program), 0o755)
  }
  const facts = factsOf(new Host(directory.path, '/opt/bin'), { ...MEASURED, ...measured })
  return { facts, by: Object.fromEntries(facts.map((fact) => [fact.name, fact])) }
}

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

describe('doctor reads a host', () => {
  test('a good one has no warning', () => {
    const { facts, by } = setup()
    expect(facts.filter(({ warning }) => warning)).toEqual([])
    expect(Object.fromEntries(facts.map(({ name, value }) => [name, value]))).toEqual({
      node: 'v26.10.0',
      kernel: '6.18.0 x64',
      'memory-limits-by': 'cgroup-v2',
      'cgroup-controllers': 'v2: memory, pids, cpu',
      'uids-left': '900000 of 1000000 until reboot',
      'user-namespaces': 'at most 9000',
      landlock: 'ABI 7',
      seccomp: 'yes',
      'core-pattern': 'core',
      swap: 'off',
      'transparent-huge-pages': 'madvise',
      redis: '/usr/bin/redis-server',
      postgres: '/usr/lib/postgresql/17/bin/postgres',
      bubblewrap: '/usr/bin/bwrap',
    })
    expect(by['swap']).toEqual({ name: 'swap', value: 'off' })
  })

  test.each([
    [
      'core-pattern',
      { '/proc/sys/kernel/core_pattern': '|/usr/lib/systemd/systemd-coredump %P' },
      /hands its memory/,
    ],
    [
      'swap',
      { '/proc/swaps': 'Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2' },
      /written to disk/,
    ],
    [
      'transparent-huge-pages',
      { '/sys/kernel/mm/transparent_hugepage/enabled': '[always] madvise never' },
      /2 MB/,
    ],
  ])('%s is warned of', (name, files, warning) => {
    const { facts, by } = setup({ files })
    expect(facts.filter((fact) => fact.warning).map((fact) => fact.name)).toEqual([name])
    expect(by[name]).toMatchObject({
      warning: expect.stringMatching(warning),
      remedy: expect.stringMatching(/^as root: /),
    })
  })

  test.each([
    [99_999, true],
    [100_000, false],
  ])('%d of a million uids left: warned %s', (left, warned) => {
    const { by } = setup({ measured: { uids: { left, total: 1_000_000 } } })
    expect(by['uids-left']!.warning !== undefined).toBe(warned)
  })

  test('a host that gives less says so, and what is missing is not guessed', () => {
    const files = {
      '/proc/sys/user/max_user_namespaces': '0',
      '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:memory:/\n1:name=systemd:/',
      '/sys/fs/cgroup/cgroup.controllers': '',
    }
    const { by } = setup({
      files,
      programs: [],
      measured: { memoryBy: 'rlimit-data', landlockAbi: 0, uids: undefined },
    })
    expect(by['user-namespaces']!.value).toBe('switched off')
    expect(by['landlock']!.value).toBe('no')
    expect(by['uids-left']!.value).toBe("contexts have this user's uid")
    expect(by['memory-limits-by']!.warning).toContain('RLIMIT_DATA')
    for (const name of ['redis', 'postgres', 'bubblewrap'])
      expect(by[name]).toMatchObject({ value: 'missing', remedy: 'npm run setup' })
  })

  test('without the second hierarchy the controllers are those of the first', () => {
    const files = {
      '/sys/fs/cgroup/cgroup.controllers': undefined,
      '/proc/self/cgroup': '5:cpu,cpuacct:/\n4:memory:/',
    }
    expect(setup({ files }).by['cgroup-controllers']!.value).toBe('v1: memory, cpu')
  })
})

const level = (name: LevelReport['level'], available: boolean): LevelReport =>
  available
    ? { level: name, available }
    : { level: name, available, reason: 'no bwrap', remedy: 'install bwrap' }

describe('doctor reports', () => {
  test.each([true, false])('the default level available: %s', (available) => {
    const diagnosis = {
      levels: [level('namespace', available), level('process', true)],
      facts: setup().facts,
    }
    expect(isReady(diagnosis)).toBe(available)
    expect(record(diagnosis)).toMatchObject({ ready: available, default: 'namespace', warnings: [] })
    const text = diagnosisText(diagnosis)
    expect(text).toContain(available ? 'runs here' : 'does not run here')
    if (!available) expect(text).toContain('namespace  missing: no bwrap. To get it: install bwrap')
  })

  test('warnings stand in the text and in the JSON, with what to do', () => {
    const { facts } = setup({ files: { '/proc/swaps': 'Filename\n/dev/sda2 partition 1 0 -2' } })
    const diagnosis = { levels: [level('namespace', true)], facts }
    expect(diagnosisText(diagnosis)).toMatch(/^\(!\) swap: .* Do: as root: swapoff/m)
    expect(record(diagnosis)).toMatchObject({
      host: { swap: '/dev/sda2' },
      warnings: [{ name: 'swap', remedy: expect.stringContaining('swapoff') }],
    })
  })
})
