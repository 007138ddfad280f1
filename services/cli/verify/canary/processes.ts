import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { call } from './native.ts'
import { type Other, type Probe, SEALED, WALLED, type World } from './probe.ts'
import type { Tries } from './tries.ts'

/** Other processes: worker, launcher, a stand-in for the sidecar, and the siblings that run at the same time. */

const VIEWS: Record<string, (pid: number) => string | boolean> = {
  environ: (pid) => readFileSync(`/proc/${pid}/environ`).length > 0,
  maps: (pid) => readFileSync(`/proc/${pid}/maps`).length > 0,
  mem(pid) {
    closeSync(openSync(`/proc/${pid}/mem`, 'r'))
    return true
  },
  fd: (pid) => readdirSync(`/proc/${pid}/fd`).length > 0,
  cwd: (pid) => readlinkSync(`/proc/${pid}/cwd`),
}

const isSelf = ({ pid }: Other) => pid === process.pid && pid !== process.ppid
const others = ({ others }: World) => others.filter((other) => !isSelf(other))
const siblings = (world: World) => world.others.filter(({ role }) => role === 'sibling')
const services = (world: World) => world.others.filter(({ role }) => role !== 'sibling')

async function view(tries: Tries, all: Other[]): Promise<void> {
  for (const other of all)
    for (const [name, read] of Object.entries(VIEWS))
      await tries.try(`${name} of the ${other.role}`, () => read(other.pid))
}

export const servicesProc: Probe = {
  name: 'proc-of-services',
  tried: 'environ, mem, maps, fd and cwd of worker, launcher and sidecar',
  promised: WALLED,
  reach: (tries, world) => view(tries, services(world)),
}
export const siblingsProc: Probe = {
  name: 'proc-of-siblings',
  tried: 'environ, mem, maps, fd and cwd of the contexts that run now',
  promised: WALLED,
  reach: (tries, world) => view(tries, siblings(world)),
}

export const processList: Probe = {
  name: 'process-list',
  tried: 'that other processes exist, and their command lines',
  promised: SEALED,
  async reach(tries, world) {
    for (const { role, pid } of world.others)
      await tries.try(`command line of the ${role}`, () => readFileSync(`/proc/${pid}/cmdline`).length > 0)
  },
}

export const signals: Probe = {
  name: 'signals',
  tried: 'signals to worker, launcher, sidecar and siblings, and their priority',
  promised: WALLED,
  async reach(tries, world) {
    for (const { role, pid } of others(world)) {
      await tries.try(`signal to the ${role}`, () => process.kill(pid, 0))
      await tries.try(`priority of the ${role}`, () => {
        setPriority(pid, getPriority(pid))
        return true
      })
    }
  },
}

const PTRACE_SEIZE = 0x4206
export const tracing: Probe = {
  name: 'ptrace',
  tried: 'ptrace, process_vm_readv and pidfd_getfd on them',
  promised: WALLED,
  async reach(tries, world) {
    for (const { role, pid } of others(world)) {
      await tries.try(`memory of the ${role}`, () => readMemory(pid))
      await tries.try(
        `descriptor of the ${role}`,
        () => call('pidfd_getfd', call('pidfd_open', pid, 0), 0, 0) >= 0,
      )
      // The others receive signals, on which a traced process would stop.
      if (role === 'sidecar')
        await tries.try(`ptrace of the ${role}`, () => call('ptrace', PTRACE_SEIZE, pid, 0, 0) === 0)
    }
  },
}

/** At an address that nobody has: EFAULT comes after the question whether it may. */
function readMemory(pid: number): boolean {
  const vector = Buffer.alloc(16)
  vector.writeBigUInt64LE(8n)
  vector.writeBigUInt64LE(8n, 8)
  try {
    return call('process_vm_readv', pid, vector, 1, vector, 1, 0) >= 0
  } catch (error) {
    if ((error as { code?: string }).code === 'EFAULT') return true
    throw error
  }
}

/** Ends by itself, should nobody find it. */
const LINGER = 'setTimeout(() => {}, 60_000)'
export const leftProcess: Probe = {
  name: 'left-processes',
  tried: 'a process in a session of its own, alive on the host after its attempt',
  promised: WALLED,
  async reach(tries, { me, isFirst }) {
    if (!isFirst) return
    await tries.try('spawn', () => {
      const child = spawn(process.execPath, ['-e', LINGER, me.mark], { detached: true, stdio: 'ignore' })
      child.on('error', () => {})
      child.unref()
    })
  },
}
