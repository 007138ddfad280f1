import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Probe, prefixOf, SEALED, WALLED } from './probe.ts'

/** Files that are not the context's own. */

export const privateFiles: Probe = {
  name: 'private-files',
  tried: "a file that only the worker's user may read, and /etc/shadow",
  promised: WALLED,
  async reach(tries, { files }) {
    for (const file of [files.secret, '/etc/shadow'])
      await tries.try(file, () => readFileSync(file).length > 0)
  },
}

export const databases: Probe = {
  name: 'sqlite',
  tried: "the worker's database through node:sqlite, which asks no permission model",
  promised: WALLED,
  async reach(tries, { me, files }) {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
    await tries.try('read', () => {
      using database = new DatabaseSync(files.database, { readOnly: true })
      const row = database.prepare('SELECT mark FROM canary').get()
      return String(row?.['mark']).startsWith(prefixOf(me.mark))
    })
  },
}

export const publicFiles: Probe = {
  name: 'public-files',
  tried: 'files that everyone may read: /etc/passwd, the checkout',
  promised: SEALED,
  async reach(tries, { files }) {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
    for (const file of files.readable) {
      await tries.try(file, () => readFileSync(file).length > 0)
      // Opened and found to be no database means opened.
      await tries.try(`${file} by sqlite`, () => {
        using database = new DatabaseSync(file, { readOnly: true })
        try {
          database.prepare('SELECT 1 FROM sqlite_schema').all()
        } catch (error) {
          if ((error as { errcode?: number }).errcode === 26) return true
          throw error
        }
        return true
      })
    }
  },
}

/** Judged outside: inside, the private folders of a context can be written to. */
export const writes: Probe = {
  name: 'left-files',
  tried: 'files and folders on the host, written anywhere outside of the context',
  promised: WALLED,
  async reach(tries, { me, files }) {
    for (const folder of files.folders) {
      await tries.try(folder, () => writeFileSync(join(folder, me.mark), me.mark))
      await tries.try(folder, () => mkdirSync(join(folder, `${me.mark}-folder`)))
    }
  },
}
