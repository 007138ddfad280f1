import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { call } from '../canary/native.ts'
import type { Mark, Target, World } from '../canary/probe.ts'
import { type Listeners, openListeners } from './listeners.ts'
import { plantObjects, removeObjects } from './objects.ts'
import { OPEN_FOLDERS } from './residue.ts'

/** What a host is furnished with before canaries are let loose on it: everything that they must not reach. */
export interface Ground extends AsyncDisposable {
  mark: Mark
  listeners: Listeners
  /** What a canary is told, but for what differs between canaries. */
  world: Pick<World, 'targets' | 'files' | 'descriptor'>
  sidecarPid: number
  /** A socket of the worker's that stands for the sidecar's. */
  brokerSocket: string
  /** The folder of a worker. */
  runtimeDir: string
}

const CHECKOUT = fileURLToPath(new URL('../../../..', import.meta.url))

/** Furnishes the host; the disposal takes everything away again. */
export async function openGround(prefix: string): Promise<Ground> {
  await using parts = new AsyncDisposableStack()
  const isRoot = process.getuid!() === 0
  const folder = mkdtempSync(join(isRoot ? '/run' : tmpdir(), 'threadbound-verify-'))
  parts.defer(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  const files = furnish(folder, prefix)
  const mark = { mark: `${prefix}host-000`, key: 0x7b_00_00_00 | (process.pid & 0xffff) }
  parts.defer(() => removeObjects([mark]))
  await plantObjects(mark)
  const listeners = parts.use(await openListeners(folder, prefix))
  const broker = listeners.targets.find(({ row }) => row === 'private-sockets') as Target & { path: string }
  const descriptor = leaveOpen(files.secret)
  parts.defer(() => closeSync(descriptor))
  const sidecar = openSidecar(mark.mark)
  parts.defer(() => sidecar.end())
  const open = parts.move()
  return {
    mark,
    listeners,
    world: { targets: listeners.targets, files, descriptor },
    sidecarPid: sidecar.pid,
    brokerSocket: broker.path,
    runtimeDir: files.runtimeDir,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

function furnish(folder: string, prefix: string) {
  const [own, openFolder, runtimeDir] = ['own', 'open', 'run'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  mkdirSync(own, { mode: 0o700 })
  mkdirSync(runtimeDir, { mode: 0o700 })
  mkdirSync(openFolder)
  chmodSync(openFolder, 0o1777)
  const secret = join(own, 'secret')
  writeFileSync(secret, `${prefix}secret`, { mode: 0o600 })
  const database = join(own, 'canary.sqlite')
  using open = new DatabaseSync(database)
  open.exec(`CREATE TABLE canary (mark TEXT); INSERT INTO canary VALUES ('${prefix}database')`)
  chmodSync(database, 0o600)
  const readable = ['/etc/passwd', join(CHECKOUT, 'package.json')]
  return {
    secret,
    database,
    openFolder,
    runtimeDir,
    readable,
    folders: [...OPEN_FOLDERS, folder, own, runtimeDir],
  }
}

/** Duplicated to a high number without close-on-exec, as a careless program leaves one. */
function leaveOpen(file: string): number {
  const from = openSync(file, 'r')
  let number = 251
  while (isOpen(number)) number++
  call('dup3', from, number, 0)
  closeSync(from)
  return number
}

function isOpen(fd: number): boolean {
  try {
    return fstatSync(fd) !== undefined
  } catch {
    return false
  }
}

/** A process with something in its environment and memory; it ends with us. */
function openSidecar(mark: string) {
  const script = "process.stdin.resume().on('end', () => process.exit())"
  const child = spawn(process.execPath, ['-e', script], {
    env: { CANARY: mark },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.on('error', () => {})
  return {
    pid: child.pid ?? 0,
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
