import { readFileSync } from 'node:fs'

/** Whom a process becomes. */
export interface User {
  uid: number
  gid: number
  /** Numbers with commas between them. */
  groups: string
}

/** The rights of root could not be given up, so nothing that needs none may run. */
export class RightsError extends Error {
  override readonly name = 'RightsError'
}

const PR_SET_NO_NEW_PRIVS = 38

/**
 * Gives up root for good: groups, gid, uid, and what a program with the set-user-id bit would give back.
 * What the kernel says afterwards counts, not that the calls returned. @throws RightsError
 */
export function becomeUser({ uid, gid, groups }: User): void {
  const list = groups.split(',').filter(Boolean).map(Number)
  process.setgroups!(list)
  process.setgid!(gid)
  process.setuid!(uid)
  refuseNewPrivileges()
  const expected = {
    Uid: [uid, uid, uid, uid],
    Gid: [gid, gid, gid, gid],
    Groups: list,
    NoNewPrivs: [1],
  }
  const status = readFileSync('/proc/thread-self/status', 'utf8')
  for (const [field, numbers] of Object.entries(expected)) {
    const found = valuesOf(status, field)
      .map(Number)
      .toSorted((a, b) => a - b)
    if (found.join() !== numbers.toSorted((a, b) => a - b).join())
      throw new RightsError(
        `${field} is ${found.join(' ')} after giving up root, expected ${numbers.join(' ')}`,
      )
  }
  for (const field of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
    if (!/^0+$/.test(valuesOf(status, field).join()))
      throw new RightsError(`${field} is not empty after giving up root`)
}

/** Node has no function for it. It holds for what this thread starts, and no other thread of ours starts a program. */
function refuseNewPrivileges(): void {
  const { functions } = process.getBuiltinModule('node:ffi').dlopen(null, {
    prctl: { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' },
  })
  functions.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n)
}

const valuesOf = (status: string, field: string) =>
  (new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/).filter(Boolean)
