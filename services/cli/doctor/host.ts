import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A host as doctor reads it; tests give another root. */
export class Host {
  readonly #root: string
  readonly #path: string[]

  /** `root`: where /proc, /sys and the programs' folders lie. `path`: as in the environment. */
  constructor(root = '/', path = process.env['PATH'] ?? '') {
    this.#root = root
    this.#path = path.split(delimiter).filter(Boolean)
  }

  /** A file's text, trimmed; undefined where it cannot be read. */
  read(file: string): string | undefined {
    try {
      return readFileSync(join(this.#root, file), 'utf8').trim()
    } catch {
      return undefined
    }
  }

  /** The names in a folder; none where it cannot be read. */
  list(folder: string): string[] {
    try {
      return readdirSync(join(this.#root, folder))
    } catch {
      return []
    }
  }

  /** Where the first of these programs lies. */
  program(...names: string[]): string | undefined {
    const versions = this.list(POSTGRES).map((version) => `${POSTGRES}/${version}/bin`)
    const files = names.flatMap((name) =>
      [...this.#path, ...versions, ...SYSTEM].map((folder) => join(folder, name)),
    )
    return files.find((file) => isProgram(join(this.#root, file)))
  }
}

/** Where Debian keeps the versions of Postgres. */
const POSTGRES = '/usr/lib/postgresql'
const SYSTEM = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
