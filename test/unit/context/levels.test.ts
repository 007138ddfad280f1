import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { contextUidRange, launcherFilter, uidsLeft, UidSource } from '#lib/context'
import {
  JUDGED,
  type Numbers,
  REFUSED,
  REFUSED_AT_SAME_UID,
} from '../../../libs/context/levels/syscall-numbers.ts'
import { NUMBERS } from '../../support/syscall-numbers.ts'
import { type FilterOptions, seccompFilter } from '../../../libs/context/levels/seccomp.ts'

const ALLOW = 0x7fff_0000
const EPERM = 0x0005_0001
const ENOSYS = 0x0005_0026
const KILL = 0x8000_0000
const X64 = 0xc000_003e
const ARM64 = 0xc000_00b7

/** Runs a filter as the kernel would. */
function judge(filter: Buffer, call: { arch: number; number: number; arguments?: number[] }): number {
  const data = new Map([
    [0, call.number],
    [4, call.arch],
    ...Array.from({ length: 6 }, (_, at) => [16 + 8 * at, call.arguments?.[at] ?? 0] as [number, number]),
    ...Array.from({ length: 6 }, (_, at) => [20 + 8 * at, 0] as [number, number]),
  ])
  let loaded = 0
  for (let at = 0; ; at++) {
    const code = filter.readUInt16LE(at * 8)
    const jump = filter.readUInt8(at * 8 + 2)
    const k = filter.readUInt32LE(at * 8 + 4)
    if (code === 0x20) loaded = data.get(k)!
    else if (code === 0x06) return k
    else if (code === 0x15) at += loaded === k ? jump : 0
    else if (code === 0x35) at += loaded >= k ? jump : 0
    else if (code === 0x45) at += (loaded & k) === 0 ? 0 : jump
    else throw new Error(`unknown instruction ${code}`)
  }
}

const made: string[] = []
afterEach(() => made.splice(0).forEach((path) => rmSync(path, { recursive: true })))
const folder = () => {
  made.push(mkdtempSync(join(tmpdir(), 'tb-uids-')))
  return made.at(-1)!
}

const of =
  (arch: 'x64' | 'arm64', options: FilterOptions = {}) =>
  (number: number, ...args: number[]) =>
    judge(seccompFilter(arch, options), { arch: arch === 'x64' ? X64 : ARM64, number, arguments: args })

describe('I4: the seccomp filter', () => {
  test('refuses sockets, key rings, tracing, io_uring, mounts and queues on x64', () => {
    const call = of('x64')
    for (const number of [41, 250, 101, 310, 425, 427, 165, 272, 308, 438, 321, 323, 29, 68, 240])
      expect([number, call(number)]).toEqual([number, EPERM])
  })
  test('refuses the same on arm64', () => {
    const call = of('arm64')
    for (const number of [198, 219, 117, 270, 425, 40, 97, 268, 438, 280, 282, 194, 186, 180])
      expect([number, call(number)]).toEqual([number, EPERM])
  })
  test('lets reads, writes, threads and socket pairs through', () => {
    for (const number of [0, 1, 53, 202, 231]) expect(of('x64')(number)).toBe(ALLOW)
    expect(of('x64')(56, 0x3d0f00)).toBe(ALLOW)
    for (const number of [63, 64, 199, 98]) expect(of('arm64')(number)).toBe(ALLOW)
  })
  test('refuses clone with any namespace flag, and hides clone3', () => {
    for (const flag of [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000])
      expect(of('x64')(56, flag | 17)).toBe(EPERM)
    expect(of('x64')(435)).toBe(ENOSYS)
    expect(of('arm64')(435)).toBe(ENOSYS)
  })
  test('lets a pair of streams through, and none of datagrams, which could be connected elsewhere', () => {
    for (const [call, pair] of [
      [of('x64'), 53],
      [of('arm64'), 199],
    ] as const) {
      const flags = 0o2000000 | 0o4000
      expect([1, 5].map((type) => call(pair, 1, type | flags))).toEqual([ALLOW, ALLOW])
      expect([2, 3].map((type) => call(pair, 1, type | flags))).toEqual([EPERM, EPERM])
    }
  })
  test('at our own uid refuses what would reach files, limits and priorities of others', () => {
    for (const [call, numbers, prlimit] of [
      [of('x64', { sameUid: true }), [90, 268, 92, 188, 280, 141, 203, 254, 160], 302],
      [of('arm64', { sameUid: true }), [52, 53, 54, 5, 88, 140, 122, 27, 164], 261],
    ] as const) {
      for (const number of numbers) expect([number, call(number)]).toEqual([number, EPERM])
      expect(call(prlimit, 0, 7, 0)).toBe(ALLOW)
      expect(call(prlimit, 0, 7, 4096)).toBe(EPERM)
    }
    expect(of('x64')(90)).toBe(ALLOW)
  })
  test('where no process may be started, threads may', () => {
    const call = of('x64', { sameUid: true, threadsOnly: true })
    expect([57, 58].map((number) => call(number))).toEqual([EPERM, EPERM])
    expect(call(56, 17)).toBe(EPERM)
    expect(call(56, 0x3d0f00)).toBe(ALLOW)
    expect(of('x64', { sameUid: true })(56, 17)).toBe(ALLOW)
  })
  test('has the numbers of the kernel’s own headers on both architectures', () => {
    const listed = { ...REFUSED, ...REFUSED_AT_SAME_UID, ...JUDGED } as Record<string, Numbers>
    const known = Object.entries(listed).filter(([name]) => Object.hasOwn(NUMBERS, name))
    expect(known).toEqual(known.map(([name]) => [name, NUMBERS[name]]))
    // Calls that are newer than those headers have one number for all architectures.
    for (const [name, [x64, arm64]] of Object.entries(listed))
      if (!Object.hasOwn(NUMBERS, name)) expect([name, x64, x64 > 450]).toEqual([name, arm64, true])
  })
  test('kills what speaks another architecture, and refuses x32', () => {
    expect(judge(seccompFilter('x64'), { arch: 0x4000_0003, number: 0 })).toBe(KILL)
    expect(of('x64')(0x4000_0000 + 41)).toBe(EPERM)
  })
  test('is refused for an architecture that has none', () => {
    expect(() => seccompFilter('mips')).toThrow('mips')
  })
})

const on =
  (arch: 'x64' | 'arm64') =>
  (number: number, ...args: number[]) =>
    judge(launcherFilter(arch), { arch: arch === 'x64' ? X64 : ARM64, number, arguments: args })

describe('I4: the filter on a launcher of level process', () => {
  test('refuses every socket but unix ones, key rings, tracing and new rings of io_uring', () => {
    for (const family of [2, 10, 16, 17, 38, 40])
      expect([family, on('x64')(41, family)]).toEqual([family, EPERM])
    for (const number of [248, 250, 101, 310, 425, 427, 438, 321, 323]) expect(on('x64')(number)).toBe(EPERM)
    for (const number of [217, 219, 117, 270, 425, 427, 438, 280, 282])
      expect(on('arm64')(number)).toBe(EPERM)
    expect(on('arm64')(198, 40)).toBe(EPERM)
  })
  test('lets a launcher connect, mount, and unshare for its contexts', () => {
    for (const number of [165, 272, 308, 426, 56, 435]) expect(on('x64')(number)).toBe(ALLOW)
    for (const number of [40, 97, 268, 426, 220, 435]) expect(on('arm64')(number)).toBe(ALLOW)
    expect([on('x64')(41, 1), on('arm64')(198, 1)]).toEqual([ALLOW, ALLOW])
  })
  test('kills what speaks another architecture, and refuses x32', () => {
    expect(judge(launcherFilter('x64'), { arch: 0x4000_0003, number: 0 })).toBe(KILL)
    expect(on('x64')(0x4000_0000 + 41, 1)).toBe(EPERM)
  })
})

describe('I1: uids', () => {
  test('what is left is counted from the last block that was claimed', () => {
    const path = folder()
    const range = { first: 1000, last: 1000 + 8 * 256 }
    expect(uidsLeft(join(path, 'nowhere'), range)).toEqual({ left: 2048, total: 2048 })
    new UidSource(path, range).take()
    expect(uidsLeft(path, range)).toEqual({ left: 7 * 256, total: 2048 })
    mkdirSync(join(path, '7'))
    expect(uidsLeft(path, range)).toEqual({ left: 0, total: 2048 })
  })
  test('no two launchers ever get the same uid', () => {
    const path = join(folder(), 'uids')
    const range = { first: 1000, last: 1000 + 8 * 256 - 1 }
    const [a, b] = [new UidSource(path, range), new UidSource(path, range)]
    const taken = Array.from({ length: 1024 }, (_, at) => (at % 3 === 0 ? a : b).take())
    expect(new Set(taken).size).toBe(taken.length)
    expect(Math.max(...taken)).toBeLessThanOrEqual(range.last)
  })
  test('a used-up range is refused and never wraps', () => {
    const path = folder()
    for (const block of [0, 1]) mkdirSync(join(path, String(block)))
    const uids = new UidSource(path, { first: 1000, last: 1000 + 2 * 256 - 1 })
    expect(() => uids.take()).toThrow('used until reboot')
  })
  test('the range follows what the user namespace maps', () => {
    expect(contextUidRange('0 0 4294967295\n')).toEqual({ first: 1_879_048_192, last: 2_147_483_646 })
    expect(contextUidRange('0 100000 200000\n')).toEqual({ first: 65_536, last: 199_999 })
    expect(contextUidRange('0 100000 65536\n')).toBeUndefined()
  })
})
