import fs from 'node:fs'
import module from 'node:module'
import { everywhere, type Hostile } from './hostile.ts'

const MARK = 'tbPlanted'
const anything = globalThis as any
const PROTOTYPES = ['Object', 'Array', 'Function', 'Promise', 'Map', 'Buffer', 'Error', 'String']
const PATHS = ['/tmp', '/dev/shm', '/var/tmp', '.'].map((folder) => `${folder}/tb-planted`)

/** What an attempt finds of what others have planted. */
export function look(): string[] {
  const found = PROTOTYPES.filter((name) => anything[name].prototype[MARK] !== undefined)
  if (anything[MARK] !== undefined) found.push('globalThis')
  if (process.env[MARK] !== undefined) found.push('environment')
  if (JSON.stringify({ a: 1 }) !== '{"a":1}') found.push('JSON')
  if ((fs as any)[MARK] !== undefined) found.push('node:fs')
  if ((module as any)._cache?.[MARK] !== undefined) found.push('module cache')
  if (process.listenerCount(MARK) > 0) found.push('listeners')
  if (process.title === MARK) found.push('title')
  if (process.umask() === 0) found.push('umask')
  return [...found, ...PATHS.filter((path) => exists(path))]
}

function exists(path: string): boolean {
  try {
    return fs.existsSync(path)
  } catch {
    return false
  }
}

function plant(): void {
  for (const name of PROTOTYPES) anything[name].prototype[MARK] = 'yes'
  for (const method of ['push', 'map', 'forEach']) anything.Array.prototype[method] = () => MARK
  anything.JSON.stringify = () => `{"t":"result","value":"${MARK}"}`
  anything[MARK] = 'yes'
  anything.Promise.prototype.then = undefined
  process.env[MARK] = 'yes'
  Object.assign(fs, { [MARK]: 'yes', existsSync: () => false })
  Object.assign((module as any)._cache, { [MARK]: {} })
  module.syncBuiltinESMExports()
  process.on(MARK, () => {})
}

/** Attempts that leave something for who comes next; whoever comes next looks for it. */
export const pollution: Hostile[] = [
  {
    name: 'prototypes, globals and the module cache',
    attack() {
      setImmediate(() => process.exit(0))
      plant()
    },
    // The attempt breaks its own means of saying anything.
    ends: everywhere('failed exited', `completed "${MARK}"`, 'failed protocol-violation', 'completed null'),
  },
  {
    name: 'title, umask, priority and folders',
    attack() {
      process.title = MARK
      for (const path of PATHS)
        try {
          fs.writeFileSync(path, 'x')
        } catch {}
      for (const change of [() => process.umask(0), () => process.chdir('/')])
        try {
          change()
        } catch {}
      return 'planted'
    },
    ends: everywhere('completed "planted"'),
  },
]
