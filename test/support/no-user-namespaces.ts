import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../services/cli/threadbound.mjs', import.meta.url))
const NO_MORE = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'

/**
 * Runs `threadbound` as root of a user namespace that has every uid and may make no further one, as on a host where the
 * kernel refuses user namespaces. Needs root, for the map. The second shell has what the first lost before it had a map.
 */
export async function withoutUserNamespaces(
  args: string[],
  more: NodeJS.ProcessEnv = {},
): Promise<ChildProcess> {
  const command = ['sh', '-c', NO_MORE, 'sh', process.execPath, COMMAND, ...args]
  const script = ['sh', '-c', 'echo; read _; exec "$@"', 'sh', ...command]
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...more }
  const child = spawn('unshare', ['--user', ...script], { env, detached: true })
  await once(child.stdout, 'readable')
  child.stdout.read()
  for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 0 4294967295\n')
  child.stdin.end('\n')
  return child
}
