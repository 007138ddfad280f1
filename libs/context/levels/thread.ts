import type { LoadLimits } from '#lib/wire'
import { SETPRIV } from './tools.ts'

/** How a thread host is started. */
export interface HostCommandOptions {
  node: string
  limits: LoadLimits
  /** The launcher is root: what it could do is taken from the host, whoever the host runs as. */
  root: boolean
  /** Who it becomes. Absent: nobody else. */
  uid?: number
  gid?: number
}

/** A seat belt, since threads are for trusted code: no file, no child process, no thread, no native code, no inspector. */
const BELT = ['--permission', '--allow-net']
const QUIET = ['--disable-warning=SecurityWarning', '--disable-warning=ExperimentalWarning']
/** Where V8 ends the process, Node says on stderr which thread was at fault. */
const REPORT = 'on-fatalerror filename=stderr compact exclude-env exclude-network'
  .split(' ')
  .map((what) => `--report-${what}`)

/** Node's arguments in every thread: permissions are the thread's own. */
export const threadArguments = ({ childProcess, worker }: LoadLimits): string[] => [
  ...BELT,
  ...QUIET,
  // Else Node asks of the code first whether it is TypeScript: a millisecond.
  '--input-type=commonjs',
  ...(childProcess ? ['--allow-child-process'] : []),
  ...(worker ? ['--allow-worker'] : []),
]

/** The program and arguments of a thread host, which reads its code on stdin and dies with its launcher. */
export function hostCommand({ node, limits, root, uid, gid }: HostCommandOptions): [string, ...string[]] {
  const threads = { ...limits, worker: true }
  const fixed = ['--disable-sigusr1', ...REPORT, ...threadArguments(threads), '-']
  const bind = [SETPRIV, '--no-new-privs', '--pdeathsig', 'KILL', node, ...fixed] as const
  if (!root) return [...bind]
  const identity =
    uid === undefined ? [] : ['--reuid', `${uid}`, '--regid', `${gid ?? uid}`, '--clear-groups']
  const capabilities = ['--bounding-set=-all', '--inh-caps=-all']
  return [SETPRIV, ...identity, ...capabilities, ...bind]
}
