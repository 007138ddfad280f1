import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { IPCRM } from '#lib/context'

/** The letter that ipcrm(1) takes for each kind; in /proc/sysvipc the id is the second column. */
const KINDS = { shm: '-m', msg: '-q', sem: '-s' }

/**
 * Removes the System V objects of a uid from the launcher's own namespace and gives how many there were: none, where a
 * context has a namespace of its own.
 */
export function sweepIpc(uid: number): number {
  const found = Object.entries(KINDS).flatMap(([kind, letter]) =>
    idsOf(kind, uid).map((id) => [letter, id] as const),
  )
  for (const [letter, id] of found)
    try {
      execFileSync(IPCRM, [letter, id], { env: {}, stdio: 'ignore' })
    } catch {}
  return found.length
}

function idsOf(kind: string, uid: number): string[] {
  const [head = '', ...lines] = readText(`/proc/sysvipc/${kind}`).trim().split('\n')
  const column = head.trim().split(/\s+/).indexOf('uid')
  const rows = lines.map((line) => line.trim().split(/\s+/))
  return rows.filter((row) => Number(row[column]) === uid).map((row) => row[1]!)
}

/** Empty where this kernel has no System V objects. */
function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
