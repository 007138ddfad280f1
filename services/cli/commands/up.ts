import { resolve } from 'node:path'
import { checkout, defaultClusterFile } from '../checkout.ts'

/** The options of `up`, as typed. */
export interface UpFlags {
  cluster?: string
  data: string
  port: string
  isolation?: string
  json?: boolean
}

/** The command line that starts a cluster: the program and its arguments, for this Node. */
export function upCommand(flags: UpFlags): string[] {
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
  process.execve!(process.execPath, [process.execPath, ...upCommand(flags)], process.env)
}
