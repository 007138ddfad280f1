import { past } from './beyond.ts'
import { type Facts, type Hostile, walled } from './hostile.ts'

/**
 * Attempts that reach for what is not theirs. Each gives the list of what it got. Every function that is handed to
 * `past` travels as text: it uses nothing from outside of itself.
 */

/** Reads of other processes: [what, pid] of each that was open. */
function readProcesses({ pids }: Facts): string[] {
  const fs = process.getBuiltinModule('node:fs')
  /** Some open for everybody and give nothing; memory without a page at 0 gives EIO. */
  const open = (path: string) => {
    try {
      if (!path.endsWith('/mem')) return fs.readFileSync(path).length > 0
      return fs.readSync(fs.openSync(path, 'r'), Buffer.alloc(1)) > 0
    } catch (error) {
      return ['EIO', 'EISDIR'].includes((error as NodeJS.ErrnoException).code!)
    }
  }
  const all = (() => {
    try {
      return fs.readdirSync('/proc').map(Number).filter(Boolean)
    } catch {
      return pids
    }
  })()
  const uid = process.getuid!()
  const isOurs = (pid: number) => {
    try {
      return fs.statSync(`/proc/${pid}`).uid === uid
    } catch {
      return false
    }
  }
  const what = ['environ', 'mem', 'maps', 'auxv', 'stack', 'root', 'cwd', 'fd/0']
  const others = all.filter((pid) => !isOurs(pid))
  return [...new Set(others.flatMap((pid) => what.filter((name) => open(`/proc/${pid}/${name}`))))]
}

/** Connects to every listener on the host: the kinds that were reached. */
async function dial({ targets }: Facts): Promise<string[]> {
  const net = process.getBuiltinModule('node:net')
  const dgram = process.getBuiltinModule('node:dgram')
  const connect = (options: object) =>
    new Promise<boolean>((resolve) => {
      const socket = net.connect(options as { path: string })
      socket
        .once('connect', () => socket.end(targets.word, () => resolve(true)))
        .once('error', () => resolve(false))
    })
  const udp = () =>
    new Promise<boolean>((resolve) => {
      const socket = dgram.createSocket('udp4')
      socket.on('error', () => resolve(false))
      // The test's own listener says whether it came: sending into an empty network fails by itself.
      socket.send(targets.word, targets.udp, '127.0.0.1', (error) => resolve(!error))
    })
  const kinds: Record<string, () => Promise<boolean>> = {
    tcp4: () => connect({ host: '127.0.0.1', port: targets.tcp4 }),
    'tcp4 as 0.0.0.0': () => connect({ host: '0.0.0.0', port: targets.tcp4 }),
    tcp6: () => connect({ host: '::1', port: targets.tcp6 }),
    'tcp4 in tcp6': () => connect({ host: '::ffff:127.0.0.1', port: targets.tcp4 }),
    udp,
    'unix, hidden': () => connect({ path: targets.unixHidden }),
    'unix, open to all': () => connect({ path: targets.unixOpen }),
    'abstract unix': () => connect({ path: `\0${targets.abstract}` }),
  }
  const reached = []
  for (const [kind, reach] of Object.entries(kinds)) if (await reach().catch(() => false)) reached.push(kind)
  return reached
}

/** Makes a socket of every family by the bare call: those that the kernel gave. */
function callSocket({ level }: Facts): string[] {
  const network = {
    inet: 2,
    inet6: 10,
    netlink: 16,
    packet: 17,
    bluetooth: 31,
    alg: 38,
    vsock: 40,
    qipcrtr: 42,
    xdp: 44,
  }
  // At level process files of sockets may be opened, as far as their own rights let everybody.
  const families = level === 'process' ? network : { unix: 1, ...network }
  let socket: (family: number, type: number, protocol: number) => number
  try {
    const ffi = process.getBuiltinModule('node:ffi') as any
    socket = ffi.dlopen(null, { socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' } }).functions
      .socket
  } catch (error) {
    return [(error as NodeJS.ErrnoException).code!]
  }
  const types = [1, 2, 3, 5]
  return Object.entries(families).flatMap(([name, family]) =>
    types.some((type) => socket(family, type, 0) >= 0) ? [name] : [],
  )
}

export const reach: Hostile[] = [
  {
    name: 'environment, memory and descriptors of other processes',
    attack: (_ctx, facts) => past(facts, readProcesses),
    ends: walled('not promised', 'completed []'),
  },
  {
    name: 'a socket of every kind to every listener',
    attack: (_ctx, facts) => past(facts, dial),
    ends: walled('not promised', 'completed []'),
    // A path in the file system is no part of a network: who opens a socket file to all users, opens it to these.
    permitted: {
      process: ['completed ["unix, open to all"]'],
      namespace: ['completed []'],
    },
  },
  {
    name: 'a socket of every family, by the bare call',
    attack: (_ctx, facts) => past(facts, callSocket),
    ends: walled('not promised', 'completed ["ERR_ACCESS_DENIED"]'),
    permitted: walled('not promised', 'completed []'),
  },
]
