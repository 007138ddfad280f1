import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type NetConnectOpts } from 'node:net'
import { networkInterfaces } from 'node:os'
import { call, connectTo } from './native.ts'
import { type Probe, prefixOf, SEALED, type Target, WALLED, type World } from './probe.ts'
import type { Tries } from './tries.ts'

/** Every way to somebody who listens. */

const PATIENCE_MS = 1000
const FAMILY = { inet: 2, netlink: 16, packet: 17, vsock: 40 }
const STREAM = 1
const RAW = 3
/** RFC 5737: no packet is sent to it, only asked whether there is a route. */
const ELSEWHERE = '192.0.2.1'

/** A probe of the listeners that were opened for one row. */
const toListeners = (name: string, tried: string, promised: Probe['promised']): Probe => ({
  name,
  tried,
  promised,
  async reach(tries, world) {
    for (const target of world.targets.filter(({ row }) => row === name))
      await tries.try(target.name, () => speak(target, world))
  },
})

export const tcp = toListeners('tcp', 'TCP listeners on 127.0.0.1 and ::1', WALLED)
export const udp = toListeners('udp', 'UDP listeners on 127.0.0.1 and ::1', WALLED)
export const abstract = toListeners('abstract-sockets', 'an abstract unix socket', WALLED)
export const privateSocket = toListeners(
  'private-sockets',
  'a unix socket in a 0700 folder of the worker',
  WALLED,
)
export const openSocket = toListeners(
  'open-sockets',
  'a unix socket whose owner opened it to everyone',
  SEALED,
)
export const redis = toListeners('redis', 'stand-ins for Redis, by unix socket and by TCP', WALLED)
export const vault = toListeners('vault', 'a stand-in for Vault', WALLED)

/** Says who it is, so that the listener knows as well; true when it was answered. */
async function speak(target: Target, { me }: World): Promise<boolean> {
  if (target.kind === 'udp') return datagram(target, me.mark)
  const socket = await connected(target)
  try {
    socket.write(me.mark)
    const [greeting] = await within(once(socket, 'data'))
    return String(greeting).includes(prefixOf(me.mark))
  } finally {
    socket.destroy()
  }
}

async function connected({ path, host, port }: Target) {
  const options = (path === undefined ? { host, port } : { path }) as NetConnectOpts
  const socket = connect(options)
  try {
    await within(once(socket, 'connect'))
    socket.on('error', () => {})
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

async function datagram({ host, port }: Target, mark: string): Promise<boolean> {
  const socket = createSocket(host!.includes(':') ? 'udp6' : 'udp4')
  try {
    const answered = once(socket, 'message')
    answered.catch(() => {})
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.send(mark, port, host, (error) => (error ? reject(error) : resolve()))
      }),
    )
    const [answer] = await within(answered)
    return String(answer).includes(prefixOf(mark))
  } finally {
    socket.close()
  }
}

/** With a TCP connection, a unix one, or the question whether there is a route for datagrams. */
async function look(tries: Tries, listeners: Target[]): Promise<void> {
  for (const target of listeners)
    await tries.try(target.name, async () => {
      if (target.kind === 'udp') return routeTo(target.host!, target.port!)
      ;(await connected(target)).destroy()
      return true
    })
}

async function routeTo(host: string, port: number): Promise<boolean> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    socket.connect(port, host)
    await within(once(socket, 'connect'))
    return true
  } finally {
    socket.close()
  }
}

const isPath = ({ path }: Target) => path !== undefined && !path.startsWith('\0')
export const everyListener: Probe = {
  name: 'every-listener',
  tried: 'every TCP, UDP and abstract listener in /proc/net of the host',
  promised: WALLED,
  reach: (tries, { listeners }) =>
    look(
      tries,
      listeners.filter((target) => !isPath(target) && target.kind !== 'vsock'),
    ),
}
export const everyPath: Probe = {
  name: 'every-unix-path',
  tried: 'every unix socket with a path in /proc/net of the host',
  promised: SEALED,
  reach: (tries, { listeners }) => look(tries, listeners.filter(isPath)),
}

const beyond = (names: string[]) => names.filter((name) => name !== 'lo').join(', ') || undefined
export const interfaces: Probe = {
  name: 'interfaces',
  tried: "the host's network interfaces, packet and raw sockets, a route beyond the host",
  promised: WALLED,
  async reach(tries) {
    await tries.try('interfaces', () => beyond(Object.keys(networkInterfaces())))
    for (const [name, family, protocol] of [
      ['packet', FAMILY.packet, 0x300],
      ['raw', FAMILY.inet, 1],
    ] as const)
      await tries.try(`${name} socket`, () => call('close', call('socket', family, RAW, protocol)) === 0)
    await tries.try(`route to ${ELSEWHERE}`, () => routeTo(ELSEWHERE, 9))
  },
}

const lines = (table: string) => readFileSync(`/proc/net/${table}`, 'utf8').split('\n')

/** Names and counters: whoever reads them reaches nobody. */
export const networkTables: Probe = {
  name: 'network-tables',
  tried: "the host's interfaces and sockets, as /proc/net lists them",
  promised: SEALED,
  async reach(tries, { targets }) {
    await tries.try('dev', () => beyond(lines('dev').flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? [])))
    const paths = targets.flatMap(({ path }) => (path?.startsWith('/') ? [path] : []))
    await tries.try('unix', () => paths.find((path) => lines('unix').some((line) => line.endsWith(path))))
  },
}

const CID = { 'this machine': 1, 'its hypervisor': 2 }
export const vsock: Probe = {
  name: 'vsock',
  tried: 'the virtual machine socket: this machine and its hypervisor',
  promised: WALLED,
  async reach(tries, { targets }) {
    const port = targets.find(({ kind }) => kind === 'vsock')?.port ?? 1024
    for (const [name, cid] of Object.entries(CID)) await tries.try(name, () => connectVsock(cid, port))
  },
}

/** That it was refused at the other end means that it got there. */
function connectVsock(cid: number, port: number): string {
  const address = Buffer.alloc(16)
  address.writeUInt16LE(FAMILY.vsock)
  address.writeUInt32LE(port, 4)
  address.writeUInt32LE(cid, 8)
  try {
    connectTo(FAMILY.vsock, STREAM, address)
    return 'connected'
  } catch (error) {
    if ((error as { code?: string }).code === 'ECONNRESET') return 'it answered (ECONNRESET)'
    throw error
  }
}

const FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16, vsock: 40, alg: 38, xdp: 44 }
export const anySocket: Probe = {
  name: 'any-socket',
  tried: `making a socket of any family: ${Object.keys(FAMILIES).join(', ')}`,
  promised: SEALED,
  async reach(tries) {
    for (const [name, family] of Object.entries(FAMILIES)) {
      const type = family === FAMILY.netlink || name === 'xdp' ? RAW : name === 'alg' ? 5 : STREAM
      await tries.try(name, () => call('close', call('socket', family, type, 0)) === 0)
    }
  },
}

export const workerSocket: Probe = {
  name: 'worker-socket',
  tried: "the worker's socket for contexts, in the name of a sibling",
  promised: WALLED,
  async reach(tries, { workerSocket: { path, context } }) {
    await tries.try('connected', async () => {
      const socket = await connected({ row: '', name: '', kind: 'unix', path })
      socket.end(`${JSON.stringify({ context })}\n`)
      return true
    })
  },
}

async function within<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(Object.assign(new Error('late'), { code: 'ETIMEDOUT' })),
    PATIENCE_MS,
  )
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
