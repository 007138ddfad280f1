import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdirSync } from 'node:fs'
import { createServer, type ListenOptions, type Socket } from 'node:net'
import { join } from 'node:path'
import { call } from '../canary/native.ts'
import type { Target } from '../canary/probe.ts'

/** What the canaries are to find closed: real listeners of every kind, which answer and remember who spoke to them. */
export interface Listeners extends AsyncDisposable {
  targets: Target[]
  /** What was heard since the last time it was asked, by row. */
  heard(): Map<string, string[]>
}

const LOOPBACK = ['127.0.0.1', '::1']

/** `folder`: one that everyone may enter; private sockets lie in folders of their own below it. */
export async function openListeners(folder: string, prefix: string): Promise<Listeners> {
  await using parts = new AsyncDisposableStack()
  const opening = { prefix, heard: new Map<string, string[]>(), parts }
  const targets: Target[] = []
  const add = async (target: Promise<Target | undefined>) =>
    targets.push(...[await target].filter((one) => one !== undefined))
  for (const host of LOOPBACK) {
    for (const [row, name] of [
      ['tcp', 'TCP'],
      ['redis', 'Redis'],
      ['vault', 'Vault'],
    ] as const)
      await add(openStream(opening, { row, name: `${name} on ${host}`, kind: 'tcp', host }))
    await add(openUdp(opening, { row: 'udp', name: `UDP on ${host}`, kind: 'udp', host }))
  }
  for (const [row, mode] of [
    ['private-sockets', 0o700],
    ['redis', 0o750],
    ['open-sockets', 0o755],
  ] as const)
    await add(openPath(opening, join(folder, row), { row, mode }))
  await add(
    openStream(opening, {
      row: 'abstract-sockets',
      name: 'an abstract socket',
      kind: 'unix',
      path: `\0${prefix}`,
    }),
  )
  targets.push(...openVsock(opening))
  const open = parts.move()
  return {
    targets,
    heard() {
      const all = new Map(opening.heard)
      opening.heard.clear()
      return all
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

interface Opening {
  prefix: string
  heard: Map<string, string[]>
  parts: AsyncDisposableStack
}

function hear({ heard, prefix }: Opening, { row, name }: Target, said: Buffer): void {
  const text = said.toString('latin1')
  if (text.startsWith(prefix))
    heard.set(row, [...(heard.get(row) ?? []), `${name} heard ${text.slice(0, 40)}`])
}

async function openPath(opening: Opening, folder: string, { row, mode }: { row: string; mode: number }) {
  mkdirSync(folder)
  chmodSync(folder, mode)
  const path = join(folder, 's')
  const target = await openStream(opening, { row, name: `${row} by path`, kind: 'unix', path })
  chmodSync(path, mode === 0o755 ? 0o777 : 0o770)
  return target
}

/** Undefined where the host has no such address. */
async function openStream(opening: Opening, target: Target): Promise<Target | undefined> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.on('data', (said: Buffer) => hear(opening, target, said))
    socket.on('close', () => sockets.delete(socket))
    socket.write(`${opening.prefix} here is ${target.name}\n`)
  })
  const { path, host } = target
  const options: ListenOptions = path === undefined ? { host: host!, port: 0 } : { path }
  try {
    server.listen(options)
    await once(server, 'listening')
  } catch {
    return undefined
  }
  opening.parts.defer(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  const address = server.address()
  return typeof address === 'object' && address ? { ...target, port: address.port } : target
}

async function openUdp(opening: Opening, target: Target): Promise<Target | undefined> {
  const socket = createSocket(target.host!.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (said, { port, address }) => {
    hear(opening, target, said)
    socket.send(`${opening.prefix} here is ${target.name}`, port, address, () => {})
  })
  try {
    socket.bind(0, target.host)
    await once(socket, 'listening')
  } catch {
    socket.close()
    return undefined
  }
  opening.parts.defer(() => {
    socket.close()
  })
  return { ...target, port: socket.address().port }
}

const VSOCK = { family: 40, type: 1, any: 0xffff_ffff, port: 0x7b_0000 }
/** That its connections are not accepted does not hinder them. */
function openVsock({ parts }: Opening): Target[] {
  const port = VSOCK.port + (process.pid % 0x1_0000)
  const address = Buffer.alloc(16)
  address.writeUInt16LE(VSOCK.family)
  address.writeUInt32LE(port, 4)
  address.writeUInt32LE(VSOCK.any, 8)
  try {
    const socket = call('socket', VSOCK.family, VSOCK.type | 0o2_000_000, 0)
    parts.defer(() => void call('close', socket))
    call('bind', socket, address, address.length)
    call('listen', socket, 16)
    return [{ row: 'vsock', name: 'vsock', kind: 'vsock', port }]
  } catch {
    return []
  }
}
