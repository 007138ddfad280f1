import { readFileSync } from 'node:fs'
import { call, callLong, memoryAt } from './native.ts'
import { type Mark, type Probe, prefixOf, WALLED } from './probe.ts'

/** Objects of the kernel that outlive a process: System V, POSIX queues, keys. */

const CREATE = 0o1000 | 0o666
const SIZE = 4096
const KINDS: ['shmget' | 'semget' | 'msgget', number[]][] = [
  ['shmget', [SIZE]],
  ['semget', [1]],
  ['msgget', []],
]

export const systemV: Probe = {
  name: 'sysv',
  tried: 'shared memory, semaphores and queues of System V',
  promised: WALLED,
  async plant(tries, { mark, key }) {
    for (const [name, size] of KINDS) await tries.try(name, () => void call(name, key, ...size, CREATE))
    await tries.try('write', () => {
      const address = callLong('shmat', call('shmget', key, 0, 0), 0, 0)
      memoryAt(address, SIZE).write(mark)
    })
  },
  async look(tries, me, all) {
    for (const other of others(me, all))
      for (const [name, size] of KINDS)
        await tries.try(`${name} of ${other.mark}`, () => call(name, other.key, ...size.map(() => 0), 0) >= 0)
  },
}

export const posixQueues: Probe = {
  name: 'posix-queues',
  tried: 'POSIX message queues of others',
  promised: WALLED,
  async plant(tries, { mark }) {
    await tries.try('mq_open', () => void call('mq_open', mark, 0o102, 0o666, 0))
  },
  async look(tries, me, all) {
    for (const { mark } of others(me, all))
      await tries.try(mark, () => {
        call('close', call('mq_open', mark, 0, 0, 0))
        return true
      })
  },
}

/** Session, user and user-session keyring, as special numbers. */
const RINGS = { session: -3, user: -4, 'user-session': -5 }
const SEARCH = 10
export const keyring: Probe = {
  name: 'keyring',
  tried: "keys of others in the kernel's session and user keyrings, and /proc/keys",
  promised: WALLED,
  async plant(tries, { mark }) {
    for (const [name, ring] of Object.entries(RINGS))
      await tries.try(name, () => void call('add_key', 'user', mark, mark, mark.length, ring))
  },
  async look(tries, me, all) {
    for (const { mark } of others(me, all))
      for (const [name, ring] of Object.entries(RINGS))
        await tries.try(
          `${mark} in the ${name} keyring`,
          () => call('keyctl', SEARCH, ring, 'user', mark, 0) > 0,
        )
    await tries.try('/proc/keys', () => {
      const lines = readFileSync('/proc/keys', 'utf8').split('\n')
      return lines.some((line) => line.includes(prefixOf(me.mark)) && !line.includes(me.mark))
    })
  },
}

const others = (me: Mark, all: Mark[]) => all.filter(({ mark }) => mark !== me.mark)
