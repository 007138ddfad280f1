import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What the host's kernel says of a context while it runs; nothing in it is the context's own word. */
export interface Snapshot {
  pid: number
  uids: number[]
  gids: number[]
  groups: number[]
  /** Capabilities that it has or could gain. */
  capabilities: string[]
  noNewPrivileges: boolean
  /** Each open descriptor with what it leads to. */
  descriptors: { fd: number; to: string }[]
}

/** @throws when the process is gone */
export function snapshotOf(contextPid: number): Snapshot {
  const pid = nodeOf(contextPid)
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? ''
  const numbers = (name: string) => field(name).split(/\s+/).filter(Boolean).map(Number)
  return {
    pid,
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    capabilities: ['CapEff', 'CapPrm', 'CapInh', 'CapAmb'].filter((name) => !/^0*$/.test(field(name))),
    noNewPrivileges: field('NoNewPrivs') === '1',
    descriptors: descriptorsOf(pid),
  }
}

/** Where each descriptor of a process leads to; empty when it may not be asked. */
export function descriptorsOf(pid: number): { fd: number; to: string }[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [{ fd: Number(fd), to: readlinkSync(`/proc/${pid}/fd/${fd}`) }]
      } catch {
        return []
      }
    })
  } catch {
    return []
  }
}

/** Bubblewrap's own process stands before the context's. */
function nodeOf(pid: number): number {
  if (readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'bwrap') return pid
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return child === undefined ? pid : Number(child)
}
