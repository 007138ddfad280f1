import { isAlive } from './proc.ts'

/** Landlock's version of this kernel; below 1 when there is none. */
export function landlockAbi(): number {
  const ffi = openFfi()
  const { functions } = ffi.dlopen(null, {
    syscall: { arguments: ['i64', 'i64', 'i64', 'i64'], return: 'i64' },
  })
  const CREATE_RULESET = 444n
  const VERSION = 1n
  return Number(functions.syscall(CREATE_RULESET, 0n, 0n, VERSION))
}

/** What Node has of `node:ffi`, as far as it is used here. Pointers and 64-bit numbers are bigint. */
interface Ffi {
  dlopen<Name extends string>(
    library: null,
    functions: Record<Name, { arguments: string[]; return: string }>,
  ): { functions: Record<Name, (...args: (number | bigint)[]) => number | bigint> }
  getRawPointer(bytes: Buffer): bigint
}

/** Numbers of RLIMIT_*, the same on x64 and arm64. */
export const RLIMIT = { data: 2, nproc: 6, nofile: 7, locks: 10 } as const

let prlimit: ((pid: number, resource: number, bytes: Buffer) => number) | undefined

/**
 * Sets a limit of a process, soft and hard; its later children inherit it. libc by `node:ffi`: the program prlimit(1)
 * would be a process more for each context. A process that is gone needs no limit. @throws when the kernel refuses
 */
export function setLimit(pid: number, name: keyof typeof RLIMIT, value: number): void {
  const both = Buffer.alloc(16)
  both.writeBigUInt64LE(BigInt(value), 0)
  both.writeBigUInt64LE(BigInt(value), 8)
  prlimit ??= openPrlimit()
  if (prlimit(pid, RLIMIT[name], both) !== 0 && isAlive(pid))
    throw new Error(`RLIMIT_${name.toUpperCase()} of process ${pid} cannot be set`)
}

const openFfi = () => process.getBuiltinModule('node:ffi' as 'node:fs') as unknown as Ffi

function openPrlimit() {
  const ffi = openFfi()
  const { functions } = ffi.dlopen(null, {
    prlimit: { arguments: ['i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
  })
  return (pid: number, resource: number, bytes: Buffer) =>
    Number(functions.prlimit(pid, resource, ffi.getRawPointer(bytes), 0n))
}
