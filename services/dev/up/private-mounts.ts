import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * What services of other users see of the host, in the supervisor's private mount namespace: our code, our Node and the
 * cluster file's folder lie where they lay, read-only, also below a home that nobody but its owner enters. Of such a home
 * nothing else is seen. Paths stay the same, so stack traces, logs and lookups of packages do as well.
 */

/** The private folder of a cluster: nothing of it is seen from outside, and it is gone with the last process. */
export const PRIVATE = '/run/threadbound/up'
const CHECKOUT = realpathSync(fileURLToPath(new URL('../../..', import.meta.url)))
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
/** Others may enter a folder and list it, as a bundler does that looks for packages. */
const OPEN = 0o005

/** Makes {@link PRIVATE}, and lets services reach what they run. `data` stays writable, and as closed as it is. */
export function arrangeMounts({ clusterRoot, data }: { clusterRoot: string; data: string }): void {
  const own = ['libs', 'services', 'node_modules', 'package.json'].map((name) => join(CHECKOUT, name))
  const folders = [...own, process.execPath, ...entriesOf(clusterRoot, data), ...packageFolders(clusterRoot)]
  const paths = outermost([...folders, ...folders.map((path) => realpathSync(path))])
  run([
    ['mkdir', '-p', PRIVATE],
    ['chmod', '711', dirname(PRIVATE), PRIVATE],
    ['mount', '-n', '-t', 'tmpfs', '-o', 'size=16m,mode=0711,nosuid,nodev,noexec', 'tmpfs', PRIVATE],
    ...show(paths, data),
  ])
}

/** A mount of something that one service may change, at a path that it can reach. */
export function bindAt(path: string, at: string): void {
  run([...makeTarget(at, path), ['mount', '-n', '--bind', path, at]])
}

type Command = string[]

/**
 * What lies in a closed folder is held while that is covered, then put back below the cover; so is the data directory
 * where it lies in what becomes read-only.
 */
function show(paths: string[], data: string): Command[] {
  const closed = outermost(paths.flatMap((path) => firstClosed(path) ?? []))
  const isCovered = (path: string) => closed.some((folder) => isBelow(folder, path))
  const isHidden = isCovered(data) || paths.some((path) => isBelow(path, data))
  const all = [...paths.filter(isCovered), ...(isHidden ? [data] : [])]
  const moved = all.map((path, at) => ({ path, hold: join(PRIVATE, `held-${at}`) }))
  const cover = ['mount', '-n', '-t', 'tmpfs', '-o', 'size=1m,mode=0755,nosuid,nodev', 'tmpfs']
  return [
    ...moved.flatMap(({ path, hold }) => [...makeTarget(hold, path), ['mount', '-n', '--bind', path, hold]]),
    ...closed.map((path) => [...cover, path]),
    ...paths.filter((path) => !isCovered(path)).map((path) => ['mount', '-n', '-o', 'bind,ro', path, path]),
    ...moved.flatMap(({ path, hold }) => [
      ...makeTarget(path, path),
      ['mount', '-n', '-o', path === data ? 'bind' : 'bind,ro', hold, path],
      ['umount', '-n', hold],
      ['rm', '-d', hold],
    ]),
  ]
}

/** A folder that others may not enter or list is shown by what is in it; the data directory never. */
function entriesOf(folder: string, data: string): string[] {
  if (isOpen(folder)) return [folder]
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => path !== data && existsSync(path))
}

/** Where Node looks for packages from a folder. */
function packageFolders(from: string): string[] {
  const here = join(from, 'node_modules')
  const own = existsSync(here) ? [here] : []
  return dirname(from) === from ? own : [...own, ...packageFolders(dirname(from))]
}

/** The first folder on the way to a path that is not open to others. */
function firstClosed(path: string): string | undefined {
  const above = dirname(path)
  if (above === path) return undefined
  return firstClosed(above) ?? (isOpen(above) ? undefined : above)
}

const isOpen = (folder: string) => (statSync(folder).mode & OPEN) === OPEN

function outermost(paths: string[]): string[] {
  const unique = [...new Set(paths)]
  return unique.filter((path) => !unique.some((other) => other !== path && isBelow(other, path)))
}

const isBelow = (folder: string, path: string) => path === folder || path.startsWith(`${folder}${sep}`)

/** An empty folder or file to mount something like `like` on, and the folders above it. */
function makeTarget(at: string, like: string): Command[] {
  if (statSync(like).isDirectory()) return [['mkdir', '-p', at]]
  return [
    ['mkdir', '-p', dirname(at)],
    ['touch', at],
  ]
}

/** One shell for all: a start of a program from here costs several times that of one from there. */
function run(commands: Command[]): void {
  const quoted = commands.map((command) =>
    command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' '),
  )
  const script = ['set -e', 'umask 022', ...quoted].join('\n')
  execFileSync('/bin/sh', [], {
    input: script,
    env: { PATH: SYSTEM_PATH },
    stdio: ['pipe', 'ignore', 'pipe'],
  })
}
