import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PermanentError } from '#lib/runtime'

const POSTGRES_ROOT = '/usr/lib/postgresql'
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin', '/opt/homebrew/bin']

/** A program that `up` needs is not on this machine. */
export class ProgramMissingError extends PermanentError {
  override readonly name = 'ProgramMissingError'
  constructor(names: string[]) {
    super(`${names.join(' or ')} is not on this machine: run "npm run setup", which installs it`)
  }
}

/** The absolute path of the first of `names` that is there. @throws ProgramMissingError */
export function findProgram(...names: string[]): string {
  const path = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...SYSTEM_PATH]
  return find(names, path)
}

/** Like {@link findProgram}, also where Debian keeps the versions of Postgres; the newest first. */
export function findPostgresProgram(name: string): string {
  const path = [
    ...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean),
    ...postgresBins(),
    ...SYSTEM_PATH,
  ]
  return find([name], path)
}

function find(names: string[], directories: string[]): string {
  const found = names
    .flatMap((name) => directories.map((directory) => join(directory, name)))
    .find((file) => isExecutable(file))
  if (!found) throw new ProgramMissingError(names)
  return found
}

function postgresBins(): string[] {
  try {
    const versions = readdirSync(POSTGRES_ROOT).toSorted((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(POSTGRES_ROOT, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
