import { hash, randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer, type ListenOptions } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Targets } from './hostile.ts'

/** Listeners, files and folders of this host, and what came to them. */
export interface OpenTargets extends AsyncDisposable {
  targets: Targets
  /** Each connection or datagram that came, and each file that was planted or changed. */
  harm(): string[]
}

const SECRET = 'canary-4711'

export async function openTargets(): Promise<OpenTargets> {
  const came: string[] = []
  const word = randomUUID()
  const hear = (kind: string, said: Buffer | string) => void (said.includes(word) && came.push(kind))
  await using open = new AsyncDisposableStack()
  const listen = async (kind: string, options: ListenOptions) => {
    const server = createServer((socket) => {
      socket.on('error', () => {}).on('data', (said) => hear(kind, said))
    })
    open.defer(() => void server.close())
    server.listen(options)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  // Where root: a folder that every context could pass through if it saw the host's files at all.
  const folder = mkdtempSync(join(process.getuid!() === 0 ? '/run' : tmpdir(), 'tb-targets-'))
  const hidden = mkdtempSync(join(tmpdir(), 'tb-targets-'))
  open.defer(() => [folder, hidden].forEach((path) => rmSync(path, { recursive: true, force: true })))
  for (const path of [folder, hidden]) chmodSync(path, 0o755)
  const udp = createSocket('udp4', (said) => hear('udp', said))
  open.defer(() => void udp.close())
  udp.bind(0, '127.0.0.1')
  await once(udp, 'listening')
  const targets: Targets = {
    word,
    tcp4: await listen('tcp4', { host: '127.0.0.1', port: 0 }),
    tcp6: await listen('tcp6', { host: '::1', port: 0 }),
    udp: udp.address().port,
    unixHidden: join(hidden, 'listener.sock'),
    unixOpen: join(folder, 'listener.sock'),
    abstract: `tb-targets-${process.pid}`,
    secretFile: join(folder, 'secret.txt'),
    publicFile: join(folder, 'public.txt'),
    database: join(folder, 'secret.sqlite'),
    folder,
    openFolders: OPEN_FOLDERS.filter((path) => existsSync(path)),
  }
  const everyone = { readableAll: true, writableAll: true }
  await listen('unix, hidden', { path: targets.unixHidden, ...everyone })
  await listen('unix, open to all', { path: targets.unixOpen, ...everyone })
  await listen('abstract unix', { path: `\0${targets.abstract}` })
  writeFileSync(targets.publicFile, 'anyone', { mode: 0o644 })
  writeFileSync(targets.secretFile, SECRET, { mode: 0o600 })
  const database = new DatabaseSync(targets.database)
  database.exec(`CREATE TABLE secrets (value TEXT); INSERT INTO secrets VALUES ('${SECRET}')`)
  database.close()
  chmodSync(targets.database, 0o600)
  const before = listing(targets)
  const held = open.move()
  return {
    targets,
    harm: () => [...came.splice(0), ...listing(targets).filter((line) => !before.includes(line))],
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Where any user may write on every Linux; a folder that a host opens to all beside these is open to level process, too. */
const OPEN_FOLDERS = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock', '/run/shm']

/** What attacks write there has names like these; what they change is no longer what it was. */
function listing({ folder, openFolders, secretFile, database }: Targets): string[] {
  const planted = [folder, ...openFolders, '/', '/etc', '/usr/bin', '/root', '/home', '/var', '/run', '/dev']
    .flatMap((path) => (existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : []))
    .filter((path) => path.startsWith(`${folder}/`) || /\/(?:tb-(?:planted|copy|link)|turbo-)/.test(path))
  const facts = (path: string) => `${path} ${statSync(path).mode} ${hash('sha1', readFileSync(path))}`
  return [
    ...planted,
    ...[secretFile, database].map((path) => (existsSync(path) ? facts(path) : `no ${path}`)),
  ]
}
