import { execFileSync } from 'node:child_process'
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { MOUNT } from '#lib/context'
import type { LauncherConfig } from '#lib/wire'

/** What the launcher works with: paths that stay valid behind its own mounts. */
export interface Room extends Disposable {
  /** The node binary, where any uid can reach it. */
  node: string
  /** A folder that only we can read. */
  folder: string
  contextSocket: string
  brokerSocket: string | undefined
}

const BASE = '/run/threadbound'
const MOUNTED = join(BASE, 'launcher')
/** Folders that any uid may write to; at level `process` contexts see an empty one that nobody can. */
const OPEN_TO_ALL = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock', '/run/shm']

/** Prepares the room. Root's lies in a private mount namespace, so that nothing of it is on the host or outlives us. */
export function openRoom(config: LauncherConfig): Room {
  return process.getuid!() === 0 ? mountRoom(config) : folderRoom(config)
}

function folderRoom({ contextSocket, brokerSocket }: LauncherConfig): Room {
  const folder = mkdtempSync(join(tmpdir(), 'tb-launcher-'))
  return {
    node: process.execPath,
    folder,
    contextSocket,
    brokerSocket,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function mountRoom(config: LauncherConfig): Room {
  refuseSharedMounts()
  openFolder(BASE, 0o711)
  openFolder(MOUNTED, 0o711)
  mount('-t', 'tmpfs', '-o', 'size=1m,mode=0711,nosuid,nodev', 'tmpfs', MOUNTED)
  const node = join(MOUNTED, 'node')
  writeFileSync(node, '')
  mount('--bind', process.execPath, node)
  const folder = join(MOUNTED, 'private')
  mkdirSync(folder, { mode: 0o700 })
  const room = {
    node,
    folder,
    contextSocket: covered(config, config.contextSocket)
      ? bindSocket('worker', config.contextSocket)
      : config.contextSocket,
    brokerSocket: covered(config, config.brokerSocket)
      ? bindSocket('sidecar', config.brokerSocket)
      : config.brokerSocket,
    [Symbol.dispose]: () => {},
  }
  if (config.level === 'process') for (const path of OPEN_TO_ALL) cover(path)
  return room
}

/** Passable for every uid, whatever umask we were started with. */
function openFolder(path: string, mode: number): void {
  mkdirSync(path, { recursive: true })
  chmodSync(path, mode)
}

const covered = ({ level }: LauncherConfig, socket: string | undefined): socket is string =>
  level === 'process' && OPEN_TO_ALL.some((folder) => socket?.startsWith(`${folder}/`))

/** The socket's folder stays reachable under a name of ours, whatever is covered later. It keeps its own rights. */
function bindSocket(name: string, socket: string): string {
  const here = join(MOUNTED, name)
  mkdirSync(here)
  mount('--bind', dirname(socket), here)
  return join(here, basename(socket))
}

function cover(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found?.isDirectory())
    mount('-t', 'tmpfs', '-o', 'ro,size=4k,mode=0555,nosuid,nodev,noexec', 'tmpfs', path)
}

function refuseSharedMounts(): void {
  const ours = readlinkSync('/proc/self/ns/mnt')
  if (ours === readlinkSync(`/proc/${process.ppid}/ns/mnt`))
    throw new Error('the launcher needs a mount namespace of its own: it is started by openLauncher')
}

const mount = (...args: string[]) =>
  execFileSync(MOUNT, args, { env: {}, stdio: ['ignore', 'ignore', 'pipe'] })
