import { JUDGED, LAUNCHING, type Numbers, REFUSED, REFUSED_AT_SAME_UID } from './syscall-numbers.ts'

/**
 * The seccomp filters of contexts, assembled for this machine's architecture. Refused is what `syscall-numbers.ts` lists,
 * foreign architectures, and by its arguments: namespaces in clone; datagram socket pairs, which could be connected to a
 * path. clone3 is "not implemented", since its flags cannot be read by a filter; libc then uses clone, whose flags can.
 * At level `process` as root the filter lies on the launcher already, which needs unix sockets, mounts and namespaces:
 * there it refuses the rest, among it what no network namespace holds (vsock) and what no uid does (the session keyring,
 * which a process has from its parent).
 */

/** What more is refused where a context has no uid of its own. */
export interface FilterOptions {
  /** Its uid is that of our own processes. */
  sameUid?: boolean
  /** It may start no process, only threads. */
  threadsOnly?: boolean
}

interface Architecture {
  audit: number
  /** Where its numbers stand in the tables. */
  column: 0 | 1
  /** Above it lies a second numbering of the same calls (x32). */
  foreignFrom?: number
}

const ARCHITECTURES: Record<string, Architecture> = {
  x64: { audit: 0xc000_003e, column: 0, foreignFrom: 0x4000_0000 },
  arm64: { audit: 0xc000_00b7, column: 1 },
}

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x7e02_0000
const CLONE_THREAD = 0x1_0000
const AF_UNIX = 1
/** SOCK_DGRAM and SOCK_RAW have it, SOCK_STREAM and SOCK_SEQPACKET have not. */
const DATAGRAM_BIT = 2

const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_AT_LEAST = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
const KILL_PROCESS = 0x8000_0000
const ALLOW = 0x7fff_0000
const EPERM = 0x0005_0001
const ENOSYS = 0x0005_0026

/** Offsets in struct seccomp_data; an argument is two words, the low one first. */
const AT_NUMBER = 0
const AT_ARCHITECTURE = 4
const atArgument = (index: number) => 16 + 8 * index

interface Step {
  code: number
  k: number
  /** Label to go to when the test holds; else the next step. */
  to?: string
  label?: string
}

/** The filter as the kernel reads it (struct sock_filter, little-endian). @throws when the architecture is unknown */
export function seccompFilter(arch: string = process.arch, options: FilterOptions = {}): Buffer {
  return assemble(program(architecture(arch), options))
}

/** What a launcher of level `process` lays on itself, and so on all that it starts. @throws as {@link seccompFilter} does */
export function launcherFilter(arch: string = process.arch): Buffer {
  return assemble(launcherProgram(architecture(arch)))
}

function architecture(arch: string): Architecture {
  if (!Object.hasOwn(ARCHITECTURES, arch)) throw new Error(`no seccomp filter for architecture ${arch}`)
  return ARCHITECTURES[arch]!
}

const begin = ({ audit, foreignFrom }: Architecture): Step[] => [
  { code: LOAD, k: AT_ARCHITECTURE },
  { code: JUMP_EQUAL, k: audit, to: 'known' },
  { code: RETURN, k: KILL_PROCESS },
  { code: LOAD, k: AT_NUMBER, label: 'known' },
  ...(foreignFrom ? [{ code: JUMP_AT_LEAST, k: foreignFrom, to: 'refuse' }] : []),
]

const on = ({ column }: Architecture, call: Numbers, to: string): Step[] =>
  call[column] === null ? [] : [{ code: JUMP_EQUAL, k: call[column], to }]

function launcherProgram(one: Architecture): Step[] {
  const refused = Object.entries(REFUSED).filter(([name]) => name !== 'socket' && !LAUNCHING.includes(name))
  return [
    ...begin(one),
    ...on(one, REFUSED['socket']!, 'socket'),
    ...refused.flatMap(([, call]) => on(one, call, 'refuse')),
    { code: RETURN, k: ALLOW },
    { code: LOAD, k: atArgument(0), label: 'socket' },
    { code: JUMP_EQUAL, k: AF_UNIX, to: 'allow' },
    { ...REFUSE, label: 'refuse' },
    { code: RETURN, k: ALLOW, label: 'allow' },
  ]
}

function program(one: Architecture, options: FilterOptions): Step[] {
  const { sameUid = false, threadsOnly = false } = options
  const { socketpair, clone, clone3, fork, vfork, prlimit64 } = JUDGED
  const refused = [...Object.values(REFUSED), ...(sameUid ? Object.values(REFUSED_AT_SAME_UID) : [])]
  return [
    ...begin(one),
    ...on(one, clone3, 'missing'),
    ...on(one, clone, 'clone'),
    ...on(one, socketpair, 'socketpair'),
    ...(threadsOnly ? [...on(one, fork, 'refuse'), ...on(one, vfork, 'refuse')] : []),
    ...(sameUid ? on(one, prlimit64, 'prlimit64') : []),
    ...refused.flatMap((call) => on(one, call, 'refuse')),
    { code: RETURN, k: ALLOW },
    { code: LOAD, k: atArgument(0), label: 'clone' },
    { code: JUMP_ANY_BIT, k: CLONE_NAMESPACES, to: 'refuse' },
    ...(threadsOnly ? [{ code: JUMP_ANY_BIT, k: CLONE_THREAD, to: 'allow' }, REFUSE] : []),
    { code: RETURN, k: ALLOW, label: 'allow' },
    { code: LOAD, k: atArgument(1), label: 'socketpair' },
    { code: JUMP_ANY_BIT, k: DATAGRAM_BIT, to: 'refuse' },
    { code: RETURN, k: ALLOW },
    // Reading a limit is one's own affair; setting one, by a pointer that is not null, would reach others as well.
    { code: LOAD, k: atArgument(2), label: 'prlimit64' },
    { code: JUMP_AT_LEAST, k: 1, to: 'refuse' },
    { code: LOAD, k: atArgument(2) + 4 },
    { code: JUMP_AT_LEAST, k: 1, to: 'refuse' },
    { code: RETURN, k: ALLOW },
    { ...REFUSE, label: 'refuse' },
    { code: RETURN, k: ENOSYS, label: 'missing' },
  ]
}

const REFUSE: Step = { code: RETURN, k: EPERM }

function assemble(steps: Step[]): Buffer {
  const bytes = Buffer.alloc(steps.length * 8)
  for (const [at, { code, k, to }] of steps.entries()) {
    bytes.writeUInt16LE(code, at * 8)
    bytes.writeUInt8(to ? steps.findIndex((step) => step.label === to) - at - 1 : 0, at * 8 + 2)
    bytes.writeUInt32LE(k, at * 8 + 4)
  }
  return bytes
}
