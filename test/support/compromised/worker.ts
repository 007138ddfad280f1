import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { seen } from '../processes.ts'

const PROBE = readFileSync(new URL('probe.mjs', import.meta.url), 'utf8')
const CHECKOUT = fileURLToPath(new URL('../../../package.json', import.meta.url))

/** Something to try; the other fields are what it takes. */
export interface Task {
  what:
    | 'whoami'
    | 'read'
    | 'list'
    | 'memory'
    | 'ptrace'
    | 'signal'
    | 'becomeRoot'
    | 'connect'
    | 'redis'
    | 'grants'
  [given: string]: unknown
}

/**
 * Runs tasks as whoever took over a worker would: a process with its uid, gid and groups, without more rights than it
 * has, where it sees what it sees. `as: 'root'` runs the same where nothing stops it, which shows that they are tried.
 */
export async function tryAs(workerPid: number, as: 'worker' | 'root', tasks: Task[]): Promise<unknown[]> {
  const { uid, gid, groups } = seen(workerPid)!
  const become = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`]
  const least = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all']
  const rights = as === 'worker' ? ['setpriv', ...become, ...least] : []
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module', '-']
  const child = spawn('nsenter', [`--mount=/proc/${workerPid}/ns/mnt`, ...rights, ...node], {
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', CHECKOUT },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(`const TASKS = ${JSON.stringify(tasks)}\n${PROBE}`)
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  if (out === '') throw new Error(errors)
  return JSON.parse(out) as unknown[]
}
