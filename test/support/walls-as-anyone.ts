/**
 * Run by a test as a uid that is not root: the walls of level process with Node's permission model off, against another
 * process of the same uid. What the context could do, as JSON on stdout.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LandlockWalls } from '#lib/context'

const folder = mkdtempSync(join(tmpdir(), 'tb-anyone-'))
const mine = join(folder, 'secret')
writeFileSync(mine, 'mine', { mode: 0o600 })
const path = join(folder, 'path.sock')
const servers = await Promise.all(
  [path, '\0tb-anyone-abstract', 0].map(async (at) => {
    const server = createServer((socket) => socket.destroy())
    server.listen(at as string)
    await once(server, 'listening')
    return server
  }),
)
const { port } = servers[2]!.address() as { port: number }
const victim = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', 'argument'], {
  env: { CANARY: 'canary' },
  stdio: 'ignore',
})
await once(victim, 'spawn')

/** Every function is tried in the context; what it gives, or `refused` with the kernel's word. */
const PROBE = `
const fs = require('node:fs'), net = require('node:net'), dgram = require('node:dgram'), os = require('node:os')
const victim = ${victim.pid}, mine = ${JSON.stringify(mine)}
const ffi = require('node:ffi')
const i64 = (count) => ({ arguments: Array(count).fill('i64'), return: 'i64' })
const libc = ffi.dlopen(null, { syscall: i64(7), __errno_location: { arguments: [], return: 'pointer' } })
const call = (number, ...args) => {
  const all = [number, ...args, ...Array(6 - args.length).fill(0)].map((one) => BigInt(one))
  const result = libc.functions.syscall(...all)
  if (result >= 0n) return 'done'
  throw Object.assign(new Error(), { code: ffi.getInt32(libc.functions.__errno_location()) })
}
const at = (bytes) => ffi.getRawPointer(bytes)
const limit = Buffer.alloc(16)
const x64 = process.arch === 'x64'
const tried = (fn) => { try { fn(); return 'done' } catch (error) { return 'refused ' + (error.info?.code ?? error.code) } }
const connect = (options) => new Promise((done) => {
  try { net.connect(options).once('connect', () => done('done')).once('error', (e) => done('refused ' + e.code)) } catch (e) { done('refused ' + e.code) }
})
const socket = (make) => new Promise((done) => {
  try { make(() => done('done')).once('error', (e) => done('refused ' + e.code)) } catch (e) { done('refused ' + e.code) }
})
;(async () => process.stdout.write(JSON.stringify({
  environ: tried(() => fs.readFileSync('/proc/' + victim + '/environ')),
  mem: tried(() => fs.openSync('/proc/' + victim + '/mem', 'r+')),
  cmdline: tried(() => fs.readFileSync('/proc/' + victim + '/cmdline')),
  descriptors: tried(() => fs.readdirSync('/proc/' + victim + '/fd')),
  workingFolder: tried(() => fs.readlinkSync('/proc/' + victim + '/cwd')),
  kill: tried(() => process.kill(victim, 'SIGKILL')),
  killZero: tried(() => process.kill(victim, 0)),
  inspector: tried(() => process.kill(victim, 'SIGUSR1')),
  killAll: tried(() => process.kill(-1, 'SIGTERM')),
  ptrace: tried(() => call(x64 ? 101 : 117, 16, victim)),
  readMemory: tried(() => call(x64 ? 310 : 270, victim, 0, 0, 0, 0, 0)),
  priority: tried(() => os.setPriority(victim, 19)),
  affinity: tried(() => call(x64 ? 203 : 122, victim, 8, at(Buffer.alloc(8, 1)))),
  limitOfOther: tried(() => call(x64 ? 302 : 261, victim, 7, at(limit), 0)),
  limitOfOwn: tried(() => call(x64 ? 302 : 261, 0, 10, at(limit), 0)),
  readMine: tried(() => fs.readFileSync(mine)),
  readHosts: tried(() => fs.readFileSync('/etc/passwd')),
  list: tried(() => fs.readdirSync('/')),
  chmod: tried(() => fs.chmodSync(mine, 0o777)),
  chown: tried(() => fs.chownSync(mine, process.getuid(), process.getgid())),
  times: tried(() => fs.utimesSync(mine, 1, 1)),
  truncate: tried(() => fs.truncateSync(mine)),
  unlink: tried(() => fs.unlinkSync(mine)),
  rename: tried(() => fs.renameSync(mine, mine + '2')),
  link: tried(() => fs.linkSync(mine, '/tmp/tb-link')),
  watch: tried(() => call(x64 ? 254 : 27, 0, at(Buffer.from(mine + '\\0')), 2)),
  create: tried(() => fs.writeFileSync('/tmp/tb-anyone', 'x')),
  shm: tried(() => fs.writeFileSync('/dev/shm/tb-anyone', 'x')),
  sharedMemory: tried(() => call(x64 ? 29 : 194, 4242, 4096, 0o1666)),
  messageQueue: tried(() => call(x64 ? 68 : 186, 4242, 0o1666)),
  keyring: tried(() => call(x64 ? 250 : 219, 0, -4, 0)),
  ioUring: tried(() => call(425, 1, at(Buffer.alloc(120)))),
  userNamespace: tried(() => call(x64 ? 272 : 97, 0x10000000)),
  process: tried(() => { const { error } = require('node:child_process').spawnSync(process.execPath, ['-v']); if (error) throw error }),
  tcp: await connect({ host: '127.0.0.1', port: ${port} }),
  path: await connect({ path: ${JSON.stringify(path)} }),
  abstract: await connect({ path: '\\0tb-anyone-abstract' }),
  listen: await socket((done) => net.createServer().listen(0, done)),
  udp: await socket((done) => dgram.createSocket('udp4').bind(0, done)),
  datagramPair: tried(() => call(x64 ? 53 : 199, 1, 2, 0, at(Buffer.alloc(8)))),
  streamPair: tried(() => call(x64 ? 53 : 199, 1, 1, 0, at(Buffer.alloc(8)))),
}), () => process.exit()))()
`

async function tryAll(): Promise<Record<string, string>> {
  const limits = { heapMiB: 64, outputBytes: 1000, childProcess: false, worker: false }
  const { file, args } = new LandlockWalls(folder).command(limits)
  const open = args.filter((arg) => arg !== '--permission' && !arg.startsWith('--allow-'))
  const five = Array.from({ length: 5 }, () => 'ignore' as const)
  const child: ChildProcess = spawn(file, open, {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit', ...five],
  })
  child.stdin!.end(PROBE)
  return JSON.parse(Buffer.concat(await child.stdout!.toArray()).toString()) as Record<string, string>
}

try {
  const seen = await tryAll()
  const after = {
    victim: victim.exitCode === null && victim.signalCode === null,
    mode: statSync(mine).mode & 0o777,
  }
  process.stdout.write(JSON.stringify({ seen, after }))
} finally {
  victim.kill('SIGKILL')
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true, force: true })
}
