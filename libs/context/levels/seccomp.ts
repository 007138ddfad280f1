/**
 * The seccomp filters of contexts, assembled for this machine's architecture.
 * Refused at level `namespace`: new sockets (the broker is inherited), io_uring, key rings, tracing and reading other processes, bpf,
 * userfaultfd, namespaces and mounts, SysV and POSIX queues, modules, foreign architectures.
 * clone3 is "not implemented", since its flags cannot be read by a filter; libc then uses clone, whose flags can.
 * At level `process` the filter lies on the launcher already, which needs unix sockets, mounts and namespaces: there it
 * refuses the rest, among it what no network namespace holds (vsock) and what no uid does (the session keyring, which a
 * process has from its parent).
 */

interface Architecture {
  audit: number
  clone: number
  /** Above it lies a second numbering of the same calls (x32). */
  foreignFrom?: number
  socket: number
  refused: number[]
  /** Of those, what a launcher needs itself; io_uring_enter is of no use to who may set up no ring. */
  launching: number[]
}

/** The same number on both: everything added since Linux 5.1. */
const NEW_CALLS = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442]
const CLONE3 = 435
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x7e02_0000

const ARCHITECTURES: Record<string, Architecture> = {
  x64: {
    audit: 0xc000_003e,
    clone: 56,
    foreignFrom: 0x4000_0000,
    socket: 41,
    launching: [426, 272, 308, 165, 166, 155, 161, 135, 428, 429, 430, 431, 432, 433, 442],
    refused: [
      41, 248, 249, 250, 101, 310, 311, 312, 321, 323, 272, 308, 165, 166, 155, 161, 298, 303, 304, 135, 175,
      313, 176, 246, 320, 29, 30, 31, 67, 64, 65, 66, 220, 68, 69, 70, 71, 240, 241, 242, 243, 244, 245,
    ],
  },
  arm64: {
    audit: 0xc000_00b7,
    clone: 220,
    socket: 198,
    launching: [426, 97, 268, 40, 39, 41, 51, 92, 428, 429, 430, 431, 432, 433, 442],
    refused: [
      198, 217, 218, 219, 117, 270, 271, 272, 280, 282, 97, 268, 40, 39, 41, 51, 241, 264, 265, 92, 105, 273,
      106, 104, 294, 194, 195, 196, 197, 190, 191, 192, 193, 186, 187, 188, 189, 180, 181, 182, 183, 184, 185,
    ],
  },
}

const AF_UNIX = 1
const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const KILL_PROCESS = 0x8000_0000
const ALLOW = 0x7fff_0000
const EPERM = 0x0005_0001
const ENOSYS = 0x0005_0026

/** Offsets in struct seccomp_data. */
const AT_NUMBER = 0
const AT_ARCHITECTURE = 4
const AT_ARGUMENT_0 = 16

interface Step {
  code: number
  k: number
  /** Label to go to when the test holds; else the next step. */
  to?: string
  label?: string
}

/** The filter as the kernel reads it (struct sock_filter, little-endian). @throws when the architecture is unknown */
export function seccompFilter(arch: string = process.arch): Buffer {
  return assemble(program(architecture(arch)))
}

/** What a launcher of level `process` lays on itself, and so on all that it starts. @throws as {@link seccompFilter} does */
export function launcherFilter(arch: string = process.arch): Buffer {
  return assemble(launcherProgram(architecture(arch)))
}

function architecture(arch: string): Architecture {
  if (!Object.hasOwn(ARCHITECTURES, arch)) throw new Error(`no seccomp filter for architecture ${arch}`)
  return ARCHITECTURES[arch]!
}

const start = ({ audit, foreignFrom }: Architecture): Step[] => [
  { code: LOAD, k: AT_ARCHITECTURE },
  { code: JUMP_EQUAL, k: audit, to: 'known' },
  { code: RETURN, k: KILL_PROCESS },
  { code: LOAD, k: AT_NUMBER, label: 'known' },
  ...(foreignFrom ? [{ code: JUMP_AT_LEAST, k: foreignFrom, to: 'refuse' }] : []),
]

function launcherProgram(one: Architecture): Step[] {
  const needed = [one.socket, ...one.launching]
  const refused = [...one.refused, ...NEW_CALLS].filter((k) => !needed.includes(k))
  return [
    ...start(one),
    { code: JUMP_EQUAL, k: one.socket, to: 'socket' },
    ...refused.map((k) => ({ code: JUMP_EQUAL, k, to: 'refuse' })),
    { code: RETURN, k: ALLOW },
    { code: LOAD, k: AT_ARGUMENT_0, label: 'socket' },
    { code: JUMP_EQUAL, k: AF_UNIX, to: 'allow' },
    { code: RETURN, k: EPERM, label: 'refuse' },
    { code: RETURN, k: ALLOW, label: 'allow' },
  ]
}

function program(one: Architecture): Step[] {
  const { clone, refused } = one
  return [
    ...start(one),
    { code: JUMP_EQUAL, k: CLONE3, to: 'missing' },
    { code: JUMP_EQUAL, k: clone, to: 'clone' },
    ...[...refused, ...NEW_CALLS].map((k) => ({ code: JUMP_EQUAL, k, to: 'refuse' })),
    { code: RETURN, k: ALLOW },
    { code: LOAD, k: AT_ARGUMENT_0, label: 'clone' },
    { code: JUMP_ANY_BIT, k: CLONE_NAMESPACES, to: 'refuse' },
    { code: RETURN, k: ALLOW },
    { code: RETURN, k: EPERM, label: 'refuse' },
    { code: RETURN, k: ENOSYS, label: 'missing' },
  ]
}

function assemble(steps: Step[]): Buffer {
  const bytes = Buffer.alloc(steps.length * 8)
  for (const [at, { code, k, to }] of steps.entries()) {
    bytes.writeUInt16LE(code, at * 8)
    bytes.writeUInt8(to ? steps.findIndex((step) => step.label === to) - at - 1 : 0, at * 8 + 2)
    bytes.writeUInt32LE(k, at * 8 + 4)
  }
  return bytes
}
