/**
 * Runs in a Node of its own before each context of level `process` without root: it puts walls around itself and becomes
 * the context, which they outlive. Landlock, seccomp and no_new_privs of the main thread hold for what it executes, and
 * its other threads end there. It is run as plain JavaScript after a line that defines PLAN, so it imports nothing.
 */

/** What the walls are. */
export interface StarterPlan {
  /** struct sock_filter[], base64. */
  filter: string
  /** Paths that may be used, with the Landlock rights below them. All else of the file system is closed. */
  paths: { path: string; rights: number }[]
  syscalls: { createRuleset: number; addRule: number; restrictSelf: number }
}
declare const PLAN: StarterPlan

interface Ffi {
  dlopen(
    library: null,
    functions: Record<string, { arguments: string[]; return: string }>,
  ): { functions: Record<'syscall' | 'prctl' | 'fcntl', (...args: bigint[]) => bigint> }
  getRawPointer(bytes: Buffer): bigint
}

const fs = process.getBuiltinModule('node:fs')
const ffi = process.getBuiltinModule('node:ffi' as 'node:fs') as unknown as Ffi
const words = (count: number) => ({ arguments: Array<string>(count).fill('i64'), return: 'i64' })
const { functions: libc } = ffi.dlopen(null, { syscall: words(5), prctl: words(5), fcntl: words(3) })

const PR_SET_PDEATHSIG = 1n
const PR_SET_SECCOMP = 22n
const PR_SET_NO_NEW_PRIVS = 38n
const SECCOMP_MODE_FILTER = 2n
const SIGKILL = 9n
const F_SETFD = 2n
const O_PATH = 0o10_000_000
/** Every right of ABI 5, TCP of ABI 4, and of ABI 6 signals and abstract sockets: none is given but by a path rule. */
const HANDLED = [0xffffn, 0x3n, 0x3n]
const RULE_PATH_BENEATH = 1n
const LAST_INHERITED = 7

function must(what: string, result: bigint): bigint {
  // A function of type int gives 32 bits.
  if (BigInt.asIntN(32, result) < 0n) throw new Error(`this kernel refuses ${what}`)
  return result
}

function restrict({ paths, syscalls }: StarterPlan): void {
  const handled = Buffer.alloc(24)
  for (const [at, rights] of HANDLED.entries()) handled.writeBigUInt64LE(rights, at * 8)
  const at = ffi.getRawPointer(handled)
  const ruleset = must('Landlock', libc.syscall(BigInt(syscalls.createRuleset), at, 24n, 0n, 0n))
  for (const { path, rights } of paths) {
    const rule = Buffer.alloc(12)
    rule.writeBigUInt64LE(BigInt(rights), 0)
    rule.writeInt32LE(fs.openSync(path, O_PATH), 8)
    const add = BigInt(syscalls.addRule)
    must(`Landlock ${path}`, libc.syscall(add, ruleset, RULE_PATH_BENEATH, ffi.getRawPointer(rule), 0n))
  }
  must('Landlock', libc.syscall(BigInt(syscalls.restrictSelf), ruleset, 0n, 0n, 0n))
}

function filter({ filter: text }: StarterPlan): void {
  const steps = Buffer.from(text, 'base64')
  const program = Buffer.alloc(16)
  program.writeUInt16LE(steps.length / 8, 0)
  program.writeBigUInt64LE(ffi.getRawPointer(steps), 8)
  const at = ffi.getRawPointer(program)
  must('seccomp', libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, at, 0n, 0n))
}

must('pdeathsig', libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0n, 0n, 0n))
must('no_new_privs', libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n))
restrict(PLAN)
// Node marks what it inherits close-on-exec.
for (let fd = 3; fd <= LAST_INHERITED; fd++) libc.fcntl(BigInt(fd), F_SETFD, 0n)
filter(PLAN)
process.execve!(process.execPath, [process.execPath, ...process.argv.slice(2)], {})
