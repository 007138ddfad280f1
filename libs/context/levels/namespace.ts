import { existsSync, openSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadLimits } from '#lib/wire'
import { librariesOf } from './libraries.ts'
import { seccompFilter } from './seccomp.ts'
import { BWRAP } from './tools.ts'
import { nodeArguments, type StartCommand, TMPFS_BYTES, type Walls } from './walls.ts'

/** Where node lies inside. */
const INSIDE = '/node'
const ARGS_FD = 8
const SECCOMP_FD = 9
const STATUS_FD = 10

/** What the walls need from the host. */
export interface NamespaceHost {
  /** The node binary at a path that the context's uid can reach. */
  node: string
  /** A folder of ours for the two files that bubblewrap reads by descriptor. */
  folder: string
  /** Become the context's uid before bubblewrap: run by root with its own `--uid`, the context would be root outside. */
  ownUid: boolean
}

/** Level `namespace`: bubblewrap with every namespace, an allow-list of binds and a seccomp filter. */
export class NamespaceWalls implements Walls {
  readonly level = 'namespace'
  readonly sharesUid = false
  readonly diskBytes = { value: 2 * TMPFS_BYTES, by: 'tmpfs' } as const
  readonly #host: NamespaceHost
  readonly #argsFile: string
  readonly #filterFile: string

  constructor(host: NamespaceHost) {
    this.#host = host
    this.#argsFile = join(host.folder, 'bwrap.args')
    this.#filterFile = join(host.folder, 'seccomp.bpf')
    writeFileSync(
      this.#argsFile,
      bubblewrapArguments(host.node)
        .map((arg) => `${arg}\0`)
        .join(''),
      { mode: 0o600 },
    )
    writeFileSync(this.#filterFile, seccompFilter(), { mode: 0o600 })
  }

  command(limits: LoadLimits, uid: number): StartCommand {
    const files = ['--allow-fs-read=*', '--allow-fs-write=/tmp', '--allow-fs-write=/dev/shm']
    const fds = ['--args', `${ARGS_FD}`, '--seccomp', `${SECCOMP_FD}`, '--json-status-fd', `${STATUS_FD}`]
    return {
      file: BWRAP,
      args: [...fds, '--', INSIDE, ...nodeArguments(limits, files)],
      ...(this.#host.ownUid ? { runAs: uid } : {}),
      fds: [openSync(this.#argsFile, 'r'), openSync(this.#filterFile, 'r'), 'pipe'],
      statusFd: STATUS_FD,
    }
  }
}

/** Bubblewrap's arguments without a program. Binds are an allow-list: node and its libraries. Nothing of /etc, /sys or a home is seen. */
export function bubblewrapArguments(node: string): string[] {
  const size = ['--size', String(TMPFS_BYTES)]
  const namespaces =
    '--unshare-all --unshare-user --disable-userns --die-with-parent --new-session --clearenv'
  const binds = librariesOf(node).flatMap((path) => ['--ro-bind', realpathSync(path), path])
  // Keys are held by uid and by parent, not by namespace: where contexts have our uid, their names would be seen.
  const keys = existsSync('/proc/keys') ? ['--ro-bind', '/dev/null', '/proc/keys'] : []
  const devices = [
    '--proc',
    '/proc',
    ...keys,
    '--dev',
    '/dev',
    ...size,
    '--tmpfs',
    '/dev/shm',
    '--remount-ro',
    '/dev',
  ]
  const rest = [...size, '--tmpfs', '/tmp', '--remount-ro', '/', '--chdir', '/tmp', '--hostname', 'context']
  return [...namespaces.split(' '), ...binds, '--ro-bind', node, INSIDE, ...devices, ...rest]
}
