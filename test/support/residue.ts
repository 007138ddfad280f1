import { readdirSync, readFileSync, statSync } from 'node:fs'

/** The living processes of a uid; what has ended and was not reaped by a container's first process does not count. */
export function aliveOf(uid: number): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid !== uid) return false
    try {
      return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${name}/status`, 'utf8'))
    } catch {
      return false
    }
  })
}
