import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Level } from '#lib/wire'
import { LANDLOCK_ABI, LandlockWalls } from './landlock.ts'
import { bubblewrapArguments } from './namespace.ts'
import { landlockAbi } from './syscalls.ts'
import { BWRAP, isProgram, SETPRIV, UNSHARE } from './tools.ts'
import { contextUidRange } from './uids.ts'

/** What this host gives of one level. */
export interface LevelReport {
  level: Level
  available: boolean
  /** What is missing. */
  reason?: string
  /** How to get it, or the line for the cluster file. */
  remedy?: string
}

const MANAGERS = 'apt-get install'
/** What the cluster file may say instead. Where `process` is not there either, nobody is told to write it alone. */
const orProcess = () => {
  const given = process.getuid!() === 0 || (process.platform === 'linux' && landlockAbi() >= LANDLOCK_ABI)
  return `${given ? 'or' : 'or run as root and'} write "isolation: process" under "defaults:" in the cluster file`
}
/** Ubuntu's own profile for bwrap: it lies in a package, and is not loaded everywhere. */
const LOAD_BWRAP_PROFILE =
  'apt-get install apparmor-profiles && ' +
  'install -m 644 /usr/share/apparmor/extra-profiles/bwrap-userns-restrict /etc/apparmor.d/ && ' +
  'apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict'

/** Tries each level on this host; never weaker than what a context gets. */
export async function probeLevels(): Promise<LevelReport[]> {
  return [probeNamespace(), probeProcess(), probeThread()]
}

function probeNamespace(): LevelReport {
  const level = 'namespace'
  if (process.platform !== 'linux') return missing(level, 'it needs Linux', 'run on Linux')
  if (!isProgram(BWRAP))
    return missing(level, 'bubblewrap is not installed', `${MANAGERS} bubblewrap, ${orProcess()}`)
  if (process.getuid!() === 0 && !contextUidRange())
    return missing(level, 'this user namespace maps too few uids', `map at least 131072 uids, ${orProcess()}`)
  try {
    tryBubblewrap()
    return { level, available: true }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer }
    const said = (stderr?.toString() || message).trim()
    return missing(
      level,
      `bubblewrap cannot make a context here: ${said}`,
      `${userNamespaceRemedy()}, ${orProcess()}`,
    )
  }
}

/** A program of the host stands for node, which a foreign uid may not reach from here. */
function tryBubblewrap(): void {
  const program = ['/usr/bin/true', '/bin/true'].find(isProgram) ?? process.execPath
  const uid = contextUidRange()?.last
  const identity = process.getuid!() === 0 && uid ? { uid, gid: uid } : {}
  const args = [...bubblewrapArguments(program), '--', '/node']
  execFileSync(BWRAP, args, {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 5000,
    ...identity,
  })
}

function userNamespaceRemedy(): string {
  if (is('kernel/unprivileged_userns_clone', '0'))
    return 'as root: sysctl -w kernel.unprivileged_userns_clone=1'
  if (is('user/max_user_namespaces', '0')) return 'as root: sysctl -w user.max_user_namespaces=10000'
  if (is('kernel/apparmor_restrict_unprivileged_userns', '1'))
    return `as root: ${LOAD_BWRAP_PROFILE} (or, for every program: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)`
  return 'allow user namespaces (in a container: seccomp and AppArmor profiles that permit unshare and mount)'
}

function probeProcess(): LevelReport {
  const level = 'process'
  if (process.platform !== 'linux') return missing(level, 'it needs Linux', 'run on Linux')
  if (process.getuid!() !== 0) return probeLandlock()
  for (const [program, path] of [
    ['setpriv', SETPRIV],
    ['unshare', UNSHARE],
  ] as const)
    if (!isProgram(path)) return missing(level, `${program} is not installed`, `${MANAGERS} util-linux`)
  if (!contextUidRange())
    return missing(level, 'this user namespace maps too few uids', 'map at least 131072 uids')
  try {
    execFileSync(UNSHARE, ['--net', '--ipc', '--mount', process.execPath, '--version'], {
      env: {},
      stdio: 'pipe',
    })
    return { level, available: true }
  } catch {
    return missing(level, 'namespaces cannot be made here', 'give the container CAP_SYS_ADMIN')
  }
}

/** Without root: Landlock that keeps signals apart, and a filter for this architecture, tried as a context gets them. */
function probeLandlock(): LevelReport {
  const level = 'process'
  const abi = landlockAbi()
  const found = abi > 0 ? `this kernel's Landlock has version ${abi}` : 'this kernel has no Landlock'
  if (abi < LANDLOCK_ABI)
    return missing(
      level,
      `without root it needs Landlock ${LANDLOCK_ABI}, which keeps signals apart: ${found}`,
      'run as root, or on Linux 6.12 or later with "landlock" in the kernel\'s lsm= list',
    )
  const folder = mkdtempSync(join(tmpdir(), 'tb-probe-'))
  try {
    const limits = { heapMiB: 64, outputBytes: 0, childProcess: false, worker: false }
    const { file, args } = new LandlockWalls(folder).command(limits)
    execFileSync(file, args, { env: {}, cwd: '/', input: '', stdio: 'pipe', timeout: 10_000 })
    return { level, available: true }
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer }
    const said = (stderr?.toString() || message).trim()
    return missing(level, `Landlock and seccomp cannot be set here: ${said}`, 'run as root, or use namespace')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const is = (name: string, value: string) =>
  existsSync(`/proc/sys/${name}`) && readFileSync(`/proc/sys/${name}`, 'utf8').trim() === value

/** Threads need no feature of the kernel; the launcher needs util-linux at every level. */
function probeThread(): LevelReport {
  const level = 'thread'
  if (process.platform !== 'linux') return missing(level, 'it needs Linux', 'run on Linux')
  if (!isProgram(SETPRIV)) return missing(level, 'setpriv is not installed', `${MANAGERS} util-linux`)
  return { level, available: true }
}

const missing = (level: Level, reason: string, remedy: string): LevelReport => ({
  level,
  available: false,
  reason,
  remedy,
})
