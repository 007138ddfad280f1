import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SETPRIV } from '#lib/context'
import { PermanentError } from '#lib/runtime'
import { bindAt, PRIVATE } from './private-mounts.ts'
import type { ServiceName, ServiceUser, ServiceUsers } from './service-users.ts'

/** Who owns what of a cluster on one machine. */
export interface Ownership {
  /** Whom a service runs as; undefined: as we do. */
  userOf(service: ServiceName): ServiceUser | undefined
  /** Makes a file readable by a service, and gives the path where it is. `name`: below the service's own folder. */
  give(service: ServiceName, file: string, name?: string): string
  /** Makes a file or folder of the data directory a service's own, and gives the path where it is. */
  lend(service: ServiceName, path: string): string
  /** Makes a folder in which `owner` listens; who is in the group of `client` may pass into it, and nobody else. */
  meet(folder: string, owner: ServiceName, client: ServiceName): void
  /** What must be removed once no process of the cluster is left. */
  readonly claim: string | undefined
}

/** Files that stand for all that a service loads. */
const OURS = [
  process.execPath,
  ...['../main.ts', '../../../package.json'].map((path) => fileURLToPath(new URL(path, import.meta.url))),
  fileURLToPath(import.meta.resolve('zod')),
]

/** Not root: every service runs as we do, and what is ours is theirs. */
export const sharedOwnership: Ownership = {
  userOf: () => undefined,
  give: (_service, file) => file,
  lend: (_service, path) => path,
  meet: (folder) => void mkdirSync(folder, { recursive: true, mode: 0o700 }),
  claim: undefined,
}

/** `up` as root cannot keep its services apart here. */
export class NotApartError extends PermanentError {
  override readonly name = 'NotApartError'
}

/**
 * Root's: every service has a uid of its own. The data directory stays root's, 0700; each service finds copies of its
 * credentials, and its own data, in a folder of the private mounts that it alone enters.
 */
export class SeparateOwnership implements Ownership {
  readonly claim: string
  readonly #users: ServiceUsers

  private constructor(users: ServiceUsers) {
    this.#users = users
    this.claim = users.claim
  }

  /** `files`: what services must be able to read beside our own code. @throws NotApartError when they cannot */
  static open(users: ServiceUsers, files: string[]): SeparateOwnership {
    const ownership = new SeparateOwnership(users)
    const closed = ownership.#firstUnreadable([...OURS, ...files])
    if (closed === undefined) return ownership
    rmSync(users.claim, { recursive: true })
    throw new NotApartError(
      `services run as users of their own, and these cannot read ${closed}: chmod -R go+rX ${dirname(closed)}`,
    )
  }

  userOf(service: ServiceName): ServiceUser {
    return this.#users.of(service)
  }

  give(service: ServiceName, file: string, name = basename(file)): string {
    const { uid, gid } = this.userOf(service)
    const path = join(this.#folderOf(service), name)
    this.#own(dirname(path), service)
    copyFileSync(file, `${path}.new`)
    chmodSync(`${path}.new`, 0o400)
    chownSync(`${path}.new`, uid, gid)
    renameSync(`${path}.new`, path)
    return path
  }

  lend(service: ServiceName, path: string): string {
    handOver(path, this.userOf(service))
    const at = join(this.#folderOf(service), basename(path))
    bindAt(path, at)
    return at
  }

  /** The group of the folder is the client's, and of what is made in it: neither needs the other's rights. */
  meet(folder: string, owner: ServiceName, client: ServiceName): void {
    mkdirSync(folder, { recursive: true })
    chownSync(folder, this.userOf(owner).uid, this.userOf(client).gid)
    chmodSync(folder, 0o2710)
  }

  #firstUnreadable(files: string[]): string | undefined {
    const { uid, gid } = this.userOf('console')
    const as = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '/bin/sh', '-c']
    const script = 'for f; do [ -r "$f" ] || { printf %s "$f"; exit 0; }; done'
    const options = { env: {}, cwd: '/', encoding: 'utf8' } as const
    return execFileSync(SETPRIV, [...as, script, 'sh', ...files], options) || undefined
  }

  #folderOf(service: ServiceName): string {
    const folder = join(PRIVATE, service)
    this.#own(folder, service)
    return folder
  }

  #own(folder: string, service: ServiceName): void {
    const { uid, gid } = this.userOf(service)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chownSync(folder, uid, gid)
  }
}

/** `hostMounts`: the mount namespace that we were started from. @throws NotApartError where we are still in it */
export function checkPrivateMounts(hostMounts: string | undefined): void {
  if (hostMounts !== undefined && hostMounts !== ownMounts()) return
  throw new NotApartError(
    'run by root, each service has a user of its own, which takes a private mount namespace, and none can be made here: ' +
      'give the container CAP_SYS_ADMIN, or start it as another user',
  )
}

/** Who runs as whom, in a line for people. */
export function whoRunsAsWhom({ claim }: Ownership): string {
  if (claim !== undefined) return 'each service runs as a user of its own'
  return 'every service runs as this user: run as root to give each one a user of its own'
}

/** The name of the mount namespace that this process is in. */
export const ownMounts = () => readlinkSync('/proc/self/ns/mnt')

/** Links are not followed, and a file with a second name is left alone: it may be another's. */
function handOver(path: string, user: ServiceUser): void {
  const { uid, gid } = user
  const about = lstatSync(path)
  if (about.isDirectory()) for (const name of readdirSync(path)) handOver(join(path, name), user)
  if (about.uid === uid && about.gid === gid) return
  if (about.isDirectory() || about.nlink === 1) lchownSync(path, uid, gid)
}
