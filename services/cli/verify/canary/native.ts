import type * as ffi from 'node:ffi'
import { constants } from 'node:os'

/** System calls by number, through node:ffi: what Node has no function for, and what no JavaScript stands before. */

/** Numbers on x64 and arm64. */
const CALLS = {
  close: [3, 57],
  socket: [41, 198],
  connect: [42, 203],
  bind: [49, 200],
  listen: [50, 201],
  getsockopt: [55, 209],
  ppoll: [271, 73],
  dup3: [292, 24],
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  semget: [64, 190],
  semctl: [66, 191],
  msgget: [68, 186],
  msgctl: [71, 187],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  add_key: [248, 217],
  keyctl: [250, 219],
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  perf_event_open: [298, 241],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  pidfd_open: [434, 434],
  pidfd_getfd: [438, 438],
} as const satisfies Record<string, [number, number]>

type Argument = number | bigint | string | Buffer
const LONG = 'int64'
const ARGUMENTS = 6
const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

type Ffi = typeof ffi
interface Native {
  ffi: Ffi
  syscall: (...args: bigint[]) => bigint
  errno: () => number
}
let opened: Native | undefined

/** @throws with a code where the permission model, or this machine, has no node:ffi */
function open(): Native {
  if (opened) return opened
  const ffi = process.getBuiltinModule('node:ffi')
  if (!ffi) throw refusal('ENOSYS')
  const { functions } = ffi.dlopen(null, {
    syscall: { arguments: [LONG, LONG, LONG, LONG, LONG, LONG, LONG], return: LONG },
    __errno_location: { arguments: [], return: 'pointer' },
  })
  const errno = () => ffi.getInt32(functions.__errno_location())
  opened = { ffi, syscall: functions.syscall, errno }
  return opened
}

/** Makes one system call. @throws an error whose code is the kernel's word */
export function call(name: keyof typeof CALLS, ...args: Argument[]): number {
  return Number(callLong(name, ...args))
}

/** Like {@link call}, for what gives an address. */
export function callLong(name: keyof typeof CALLS, ...args: Argument[]): bigint {
  const { ffi, syscall, errno } = open()
  const number = CALLS[name][process.arch === 'arm64' ? 1 : 0]
  if (process.arch !== 'arm64' && process.arch !== 'x64') throw refusal('ENOSYS')
  const held = args.map((arg) => (typeof arg === 'string' ? Buffer.from(`${arg}\0`) : arg))
  const plain = held.map((arg) => (Buffer.isBuffer(arg) ? ffi.getRawPointer(arg) : BigInt(arg)))
  const padding = Array.from({ length: ARGUMENTS - plain.length }, () => 0n)
  const result = syscall(BigInt(number), ...plain, ...padding)
  if (result !== -1n) return result
  throw refusal(NAMES.get(errno()) ?? 'EUNKNOWN')
}

/** Memory at an address, as it is. */
export const memoryAt = (address: bigint, bytes: number) => open().ffi.toBuffer(address, bytes, false)

const SOCK_NONBLOCK = 0o4000
const POLLOUT = 4
const SOL_SOCKET = 1
const SO_ERROR = 4

/** Connects by system calls, waiting half a second at most. @throws an error whose code is the kernel's word */
export function connectTo(family: number, type: number, address: Buffer): void {
  const socket = call('socket', family, type | SOCK_NONBLOCK, 0)
  try {
    call('connect', socket, address, address.length)
  } catch (error) {
    if ((error as { code?: string }).code !== 'EINPROGRESS') throw error
    settle(socket)
  } finally {
    call('close', socket)
  }
}

function settle(socket: number): void {
  const poll = Buffer.alloc(8)
  poll.writeInt32LE(socket)
  poll.writeInt16LE(POLLOUT, 4)
  const halfASecond = Buffer.alloc(16)
  halfASecond.writeBigInt64LE(500_000_000n, 8)
  if (call('ppoll', poll, 1, halfASecond, 0, 8) === 0) throw refusal('ETIMEDOUT')
  const value = Buffer.alloc(4)
  const length = Buffer.from([4, 0, 0, 0])
  call('getsockopt', socket, SOL_SOCKET, SO_ERROR, value, length)
  const errno = value.readInt32LE()
  if (errno !== 0) throw refusal(NAMES.get(errno) ?? 'EUNKNOWN')
}

const refusal = (code: string) => Object.assign(new Error(code), { code })
