import type { UidsLeft } from '#lib/context'
import type { Host } from './host.ts'

/** One thing that a host has or lacks. */
export interface Fact {
  /** For programs: stable, kebab-case. */
  name: string
  value: string
  /** Present where somebody should do something. */
  warning?: string
  remedy?: string
}

/** What cannot be read from files. */
export interface Measured {
  memoryBy: string
  /** 0: none. */
  landlockAbi: number
  /** Undefined where contexts have no uids of their own. */
  uids: UidsLeft | undefined
  kernel: string
  node: string
}

/** Under this share of the uids an operator is told. */
const FEW = 0.1

/** What the host gives beside the levels. */
export function factsOf(host: Host, measured: Measured): Fact[] {
  const { memoryBy, landlockAbi, kernel, node } = measured
  return [
    { name: 'node', value: node },
    { name: 'kernel', value: kernel },
    memoryFact(memoryBy),
    controllers(host),
    uidFact(measured.uids),
    { name: 'user-namespaces', value: userNamespaces(host) },
    { name: 'landlock', value: landlockAbi > 0 ? `ABI ${landlockAbi}` : 'no' },
    { name: 'seccomp', value: host.read('/proc/sys/kernel/seccomp/actions_avail') ? 'yes' : 'no' },
    coreFact(host.read('/proc/sys/kernel/core_pattern') ?? ''),
    swapFact(host.read('/proc/swaps') ?? ''),
    hugePages(host),
    program(host, 'redis', ['redis-server', 'valkey-server']),
    program(host, 'postgres', ['postgres']),
    program(host, 'bubblewrap', ['bwrap']),
  ]
}

function memoryFact(by: string): Fact {
  const fact = { name: 'memory-limits-by', value: by }
  if (by !== 'rlimit-data') return fact
  return {
    ...fact,
    warning:
      'no memory cgroup can be written: limits hold by RLIMIT_DATA and a watchdog, which overshoots a little',
    remedy: 'run as root, or with a cgroup delegated (systemd: Delegate=yes)',
  }
}

function controllers(host: Host): Fact {
  const v2 = host.read('/sys/fs/cgroup/cgroup.controllers')?.split(/\s+/)
  const v1 = (host.read('/proc/self/cgroup') ?? '')
    .split('\n')
    .flatMap((line) => line.split(':')[1]?.split(',') ?? [])
  const found = ['memory', 'pids', 'cpu'].filter((name) => (v2 ?? v1).includes(name))
  return { name: 'cgroup-controllers', value: `${v2 ? 'v2' : 'v1'}: ${found.join(', ') || 'none'}` }
}

function uidFact(uids: UidsLeft | undefined): Fact {
  const name = 'uids-left'
  if (!uids) return { name, value: "contexts have this user's uid" }
  const { left, total } = uids
  const fact = { name, value: `${left} of ${total} until reboot` }
  if (left >= total * FEW) return fact
  return {
    ...fact,
    warning: 'a uid serves one context and is not given again: when they are used up, no context starts',
    remedy: total < 1e6 ? 'map more uids into this user namespace, or reboot' : 'reboot',
  }
}

function userNamespaces(host: Host): string {
  const most = host.read('/proc/sys/user/max_user_namespaces')
  if (most === undefined) return 'no'
  if (most === '0' || host.read('/proc/sys/kernel/unprivileged_userns_clone') === '0') return 'switched off'
  const isRestricted = host.read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1'
  return `at most ${most}${isRestricted ? ', restricted by AppArmor' : ''}`
}

/** The kernel runs such a program whatever RLIMIT_CORE says. */
function coreFact(pattern: string): Fact {
  const fact = { name: 'core-pattern', value: pattern || 'none' }
  if (!pattern.startsWith('|')) return fact
  return {
    ...fact,
    warning: 'a process that crashes hands its memory to this program, although its core limit is 0',
    remedy: 'as root: sysctl -w kernel.core_pattern=core',
  }
}

function swapFact(table: string): Fact {
  const devices = table
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/)[0])
  const fact = { name: 'swap', value: devices.join(', ') || 'off' }
  if (devices.length === 0) return fact
  return {
    ...fact,
    warning: 'the memory of workers and of the sidecar, secrets among it, may be written to disk',
    remedy: 'as root: swapoff -a, or encrypt the swap',
  }
}

function hugePages(host: Host): Fact {
  const value =
    /\[(\w+)\]/.exec(host.read('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1] ?? 'unknown'
  const fact = { name: 'transparent-huge-pages', value }
  if (value !== 'always') return fact
  return {
    ...fact,
    warning: 'memory is charged in pages of 2 MB: contexts and Redis use more than they need',
    remedy: 'as root: echo madvise >/sys/kernel/mm/transparent_hugepage/enabled',
  }
}

function program(host: Host, name: string, names: string[]): Fact {
  const found = host.program(...names)
  if (found) return { name, value: found }
  return {
    name,
    value: 'missing',
    warning: `${names.join(' or ')} is not on this machine`,
    remedy: 'npm run setup',
  }
}
