import { launcherFilter } from '#lib/context'

/**
 * Level `process`: what a uid and an empty network namespace do not hold. A session keyring comes from the parent
 * whatever the uid, and a virtual machine's sockets lie in no namespace: both led out, until this. Laid on the launcher,
 * it costs a context nothing.
 */

const SECCOMP = { x64: 317, arm64: 277 } as Record<string, number>
const KEYCTL = { x64: 250, arm64: 219 } as Record<string, number>
const SET_MODE_FILTER = 1
const ALL_THREADS = 1
const JOIN_SESSION_KEYRING = 1
const BYTES_PER_STEP = 8

/** From here on this process and all that it starts have an empty session keyring, and are refused the calls. @throws */
export function refuseCalls(): void {
  const { dlopen, getRawPointer } = process.getBuiltinModule('node:ffi')
  const long = 'int64'
  const { functions } = dlopen(null, { syscall: { arguments: [long, long, long, long], return: long } })
  // Where keys are refused already, or the kernel has none, there is nothing to leave.
  functions.syscall(BigInt(KEYCTL[process.arch] ?? -1), BigInt(JOIN_SESSION_KEYRING), 0n, 0n)
  const filter = launcherFilter()
  const program = Buffer.alloc(16)
  program.writeUInt16LE(filter.length / BYTES_PER_STEP)
  program.writeBigUInt64LE(getRawPointer(filter), 8)
  const number = BigInt(SECCOMP[process.arch] ?? -1)
  const result = functions.syscall(
    number,
    BigInt(SET_MODE_FILTER),
    BigInt(ALL_THREADS),
    getRawPointer(program),
  )
  if (result !== 0n)
    throw new Error('the kernel takes no seccomp filter: build it with CONFIG_SECCOMP_FILTER')
}
