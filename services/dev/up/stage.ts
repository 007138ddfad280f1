import type { Cluster } from '#lib/cluster'
import type { Supervisor } from '../supervision/index.ts'
import type { Credentials } from './credentials.ts'
import type { Directories } from './directories.ts'
import type { Ownership } from './ownership.ts'
import type { UpOptions } from './options.ts'

/** What every step of starting a cluster works with. */
export interface Stage {
  cluster: Cluster
  options: UpOptions
  supervisor: Supervisor
  credentials: Credentials
  directories: Directories
  ownership: Ownership
  /** One line of progress for people. */
  say: (line: string) => void
}

/** The `url` that a service announced. @throws when it announced none */
export function urlOf(facts: Record<string, unknown>, service: string): string {
  const url = facts['url']
  if (typeof url !== 'string') throw new Error(`${service} announced no url`)
  return url
}
