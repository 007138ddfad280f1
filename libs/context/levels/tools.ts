import { accessSync, constants } from 'node:fs'

/** The programs that walls are made of, by absolute path: an empty environment has no PATH. */

const find = (name: string) =>
  ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin']
    .map((folder) => `${folder}/${name}`)
    .find(isProgram) ?? `/usr/bin/${name}`

export const BWRAP = find('bwrap')
export const SETPRIV = find('setpriv')
export const UNSHARE = find('unshare')
export const NICE = find('nice')
export const PRLIMIT = find('prlimit')
/** `mount`, of util-linux. */
export const MOUNT = find('mount')
export const IPCRM = find('ipcrm')
export const LDD = find('ldd')

/** True when the file can be run. */
export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
