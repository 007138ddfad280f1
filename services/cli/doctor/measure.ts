import { release } from 'node:os'
import { contextUidRange, Keeper, UIDS, uidsLeft } from '#lib/context'
import type { Measured } from './facts.ts'

/** Measures what this host gives; what it makes for that is gone again. */
export function measure(): Measured {
  using keeper = new Keeper()
  const range = process.getuid?.() === 0 ? contextUidRange() : undefined
  return {
    memoryBy: keeper.held.memoryBy,
    landlockAbi: landlockAbi(),
    uids: range && uidsLeft(UIDS, range),
    kernel: `${release()} ${process.arch}`,
    node: process.version,
  }
}

/** The same number on every architecture. */
const LANDLOCK_CREATE_RULESET = 444n
const VERSION = 1n

/** 0 where the kernel has none, or it is switched off. */
function landlockAbi(): number {
  const long = 'int64'
  try {
    const { dlopen } = process.getBuiltinModule('node:ffi')
    const { functions } = dlopen(null, { syscall: { arguments: [long, long, long, long], return: long } })
    return Math.max(0, Number(functions.syscall(LANDLOCK_CREATE_RULESET, 0n, 0n, VERSION)))
  } catch {
    return 0
  }
}
