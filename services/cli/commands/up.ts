import { spawnSync } from 'node:child_process'
import { readlinkSync } from 'node:fs'
import { resolve } from 'node:path'
import { isProgram, PRLIMIT, UNSHARE } from '#lib/context'
import { checkout, defaultClusterFile } from '../checkout.ts'

/** The options of `up`, as typed. */
export interface UpFlags {
  cluster?: string
  data: string
  port: string
  isolation?: string
  json?: boolean
}

/**
 * The command line that starts a cluster: this Node, without core dumps, which would hold secrets, and run by root in a
 * mount namespace of its own where the host allows one.
 */
export function upCommand(flags: UpFlags): [string, ...string[]] {
  const noCore = isProgram(PRLIMIT) ? [PRLIMIT, '--core=0:0'] : []
  const apart = [UNSHARE, '--mount', '--propagation', 'private']
  const isApart = process.getuid?.() === 0 && spawnSync(apart[0]!, [...apart.slice(1), 'true']).status === 0
  const [program, ...args] = [...noCore, ...(isApart ? apart : []), process.execPath, ...nodeArguments(flags)]
  return [program!, ...args, ...(isApart ? [`--host-mounts=${readlinkSync('/proc/self/ns/mnt')}`] : [])]
}

/** The environment of a supervisor: nothing that changes Node, or opens its inspector. */
export function upEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...rest } = process.env
  return rest
}

function nodeArguments(flags: UpFlags): string[] {
  return [
    '--disable-warning=ExperimentalWarning',
    '--disable-sigusr1',
    checkout().up,
    `--cluster=${resolve(flags.cluster ?? defaultClusterFile())}`,
    `--data=${resolve(flags.data)}`,
    `--port=${flags.port}`,
    ...(flags.isolation ? [`--isolation=${flags.isolation}`] : []),
    ...(flags.json ? ['--json'] : []),
  ]
}

/** Becomes the supervisor: signals and exit code are its own. */
export function up(flags: UpFlags): void {
  const command = upCommand(flags)
  process.execve!(command[0], command, upEnvironment())
}
