import { readFileSync } from 'node:fs'
import type { Target } from '../canary/probe.ts'

/** Every listener that the kernel lists in this network namespace. `proc`: where; for tests. */
export function listenersOfHost(proc = '/proc/net'): Target[] {
  const internet = (['tcp', 'tcp6', 'udp', 'udp6'] as const).flatMap((table) =>
    read(`${proc}/${table}`).flatMap((line) => internetListener(table, line)),
  )
  const unix = read(`${proc}/unix`).flatMap(unixListener)
  return [...new Map([...internet, ...unix].map((target) => [target.name, target])).values()]
}

const LISTENING: Record<string, string> = { tcp: '0A', udp: '07' }

function internetListener(table: 'tcp' | 'tcp6' | 'udp' | 'udp6', line: string): Target[] {
  const [, local = '', , state = ''] = line.trim().split(/\s+/)
  const [address = '', port = ''] = local.split(':')
  const kind = table.startsWith('tcp') ? 'tcp' : 'udp'
  if (state !== LISTENING[kind]) return []
  const host = address.length === 8 ? version4(address) : version6(address)
  const number = Number.parseInt(port, 16)
  return [{ row: 'every-listener', name: `${table} ${host}:${number}`, kind, host, port: number }]
}

/** Words in the byte order of the machine, which is little-endian wherever we run. */
function version4(hex: string): string {
  const host = [...Buffer.from(hex, 'hex')].toReversed().join('.')
  return host === '0.0.0.0' ? '127.0.0.1' : host
}

function version6(hex: string): string {
  const words = hex.match(/.{8}/g) ?? []
  const bytes = Buffer.concat(words.map((word) => Buffer.from(word, 'hex').toReversed())).toString('hex')
  const host = (bytes.match(/.{4}/g) ?? []).join(':')
  return /^[0:]+$/.test(host) ? '::1' : host
}

const ACCEPTS = 0x1_0000
function unixListener(line: string): Target[] {
  const [, , , flags = '', , , , ...rest] = line.trim().split(/\s+/)
  const path = rest.join(' ')
  if (!(Number.parseInt(flags, 16) & ACCEPTS) || path === '') return []
  const isAbstract = path.startsWith('@')
  return [
    { row: 'every-unix-path', name: path, kind: 'unix', path: isAbstract ? `\0${path.slice(1)}` : path },
  ]
}

function read(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n').slice(1)
  } catch {
    return []
  }
}
