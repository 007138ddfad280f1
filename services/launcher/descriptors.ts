import { closeSync, readdirSync, readFileSync } from 'node:fs'

const O_CLOEXEC = 0o2_000_000

/**
 * Closes every descriptor above `keep` that a child would inherit: what whoever started us left open would otherwise
 * reach into contexts, since Node marks only the low run close-on-exec.
 */
export function closeInheritedDescriptors(keep: number): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > keep && isInherited(fd)) closeSync(fd)
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0
  } catch {
    return false // the descriptor of the listing itself
  }
}
