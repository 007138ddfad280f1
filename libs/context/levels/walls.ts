import type { HeldLimits, Level, LoadLimits } from '#lib/wire'

/** How a context is started at one level. */
export interface Walls {
  readonly level: Level
  /** Contexts have our own uid and see our processes: what they start must be told from what is ours. */
  readonly sharesUid: boolean
  /** What a context may write, and what bounds it. */
  readonly diskBytes: HeldLimits['diskBytes']
  /** What to spawn so that node runs what comes on its stdin behind the walls. Opens what `fds` lists; the caller closes them. */
  command(limits: LoadLimits, uid: number): StartCommand
}

/** Arguments of one spawn; everything is absolute, the environment is empty. */
export interface StartCommand {
  file: string
  args: string[]
  /** Uid and gid to become before `file` runs; absent: ours. */
  runAs?: number
  /** Descriptors for 8 and up, as `file` expects them. */
  fds: (number | 'pipe')[]
  /** Where in the child's descriptors bubblewrap writes its status, if it does. */
  statusFd?: number
}

/** The same walls with Node's permission model off: what is left is the kernel's. */
export const withoutPermissionModel = (walls: Walls): Walls => ({
  level: walls.level,
  sharesUid: walls.sharesUid,
  diskBytes: walls.diskBytes,
  command(limits, uid) {
    const { args, ...rest } = walls.command(limits, uid)
    return { ...rest, args: args.filter((arg) => arg !== '--permission' && !arg.startsWith('--allow-')) }
  },
})

/** Bytes of each writable tmpfs; they are charged to the attempt like any memory. */
export const TMPFS_BYTES = 8 * 2 ** 20

/** Runs what comes on stdin, read at once: `node -` reads it as a stream, and loads 2.5 ms of streams to do so. */
const RUN_STDIN =
  `process.getBuiltinModule('node:vm').compileFunction(process.getBuiltinModule('node:fs')` +
  `.readFileSync(0, 'utf8'), ['require'])(process.getBuiltinModule)`

/** Node's arguments in every context. `files`: what the permission model allows below the kernel's walls. */
export function nodeArguments(limits: LoadLimits, files: string[]): string[] {
  return [
    '--disable-sigusr1',
    '--disable-warning=SecurityWarning',
    '--input-type=commonjs',
    `--max-old-space-size=${limits.heapMiB}`,
    '--permission',
    ...files,
    ...(limits.childProcess ? ['--allow-child-process'] : []),
    ...(limits.worker ? ['--allow-worker'] : []),
    '--eval',
    RUN_STDIN,
  ]
}
