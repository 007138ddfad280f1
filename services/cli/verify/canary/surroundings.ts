import { fstatSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isForeign, type Probe, prefixOf, SEALED, WALLED } from './probe.ts'

/** What surrounds a process: its environment, its place, its descriptors, the folders that everyone may write to. */

const MASK = 0o137
const PLACE = '/proc'
/** Bubblewrap sets it. */
const HARMLESS = 'PWD'
const DESCRIPTORS = 1024
const LAST_OWN = 7

const initialNames = () =>
  readFileSync('/proc/self/environ', 'utf8')
    .split('\0')
    .filter(Boolean)
    .map((line) => line.split('=')[0]!)

export const environment: Probe = {
  name: 'environment',
  tried: 'variables in process.env and /proc/self/environ',
  promised: WALLED,
  plant: (_tries, { mark }) => void (process.env[mark] = mark),
  async look(tries, { mark }) {
    const foreign = (names: string[]) => names.filter((name) => name !== mark && name !== HARMLESS).join(', ')
    await tries.try('process.env', () => foreign(Object.keys(process.env)) || undefined)
    await tries.try('/proc/self/environ', () => foreign(initialNames()) || undefined)
  },
}

/** Which canary has changed its place itself. */
const moved = new Set<string>()
export const place: Probe = {
  name: 'cwd-umask',
  tried: 'working directory and umask that others changed',
  promised: WALLED,
  async plant(tries, { mark }) {
    moved.add(mark)
    await tries.try('umask', () => void process.umask(MASK))
    await tries.try('cwd', () => process.chdir(PLACE))
  },
  async look(tries, { mark }) {
    if (moved.has(mark)) return
    await tries.try('umask', () => process.umask() === MASK)
    await tries.try('cwd', () => process.cwd() === PLACE)
  },
}

const OPEN_TO_ALL = ['/tmp', '/var/tmp', '/dev/shm', '/dev/mqueue', '/run/lock', '/run/shm']
export const temporaryFiles: Probe = {
  name: 'temporary-files',
  tried: `files of others in ${OPEN_TO_ALL.join(', ')}`,
  promised: WALLED,
  async plant(tries, { mark }) {
    for (const folder of OPEN_TO_ALL)
      await tries.try(folder, () => writeFileSync(join(folder, mark), mark, { mode: 0o666 }))
  },
  async look(tries, me) {
    const foreign = (folder: string) => readdirSync(folder).filter((name) => isForeign(name, me))
    for (const folder of OPEN_TO_ALL)
      await tries.try(folder, () => foreign(folder).slice(0, 3).join(', ') || undefined)
  },
}

export const openFolder: Probe = {
  name: 'open-folder',
  tried: 'writing into a folder elsewhere whose owner opened it to everyone',
  promised: SEALED,
  async reach(tries, { me, files }) {
    const file = join(files.openFolder, me.mark)
    await tries.try('written', () => {
      writeFileSync(file, me.mark)
      return true
    })
  },
}

export const descriptors: Probe = {
  name: 'descriptors',
  tried: `open files and sockets above ${LAST_OWN}; one that the worker left open`,
  promised: WALLED,
  async reach(tries, { me, descriptor }) {
    for (let fd = LAST_OWN + 1; fd < DESCRIPTORS; fd++) {
      const kind = kindOf(fd)
      if (kind !== undefined) await tries.try(`descriptor ${fd}`, () => kind)
    }
    await tries.try(`read of ${descriptor}`, () => {
      const text = Buffer.alloc(64)
      readSync(descriptor, text, 0, 64, 0)
      return text.toString().includes(prefixOf(me.mark))
    })
  },
}

/** What Node opens for itself is none of these kinds, or memory that is a file of no folder. */
function kindOf(fd: number): string | undefined {
  try {
    const stat = fstatSync(fd)
    if (stat.isFile() && stat.nlink > 0) return 'file'
    if (stat.isSocket()) return 'socket'
    if (stat.isDirectory()) return 'directory'
  } catch {}
  return undefined
}
