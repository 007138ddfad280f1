import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OperatorAccess } from '#lib/http'
import { onDispose } from '#lib/runtime'

/** The line that `up --json` prints when everything is ready. */
export interface ReadyLine {
  ready: true
  producer: string
  console: string
  vault: string
  redis: { socket?: string; url?: string; user?: string; passwordFile?: string }
  traces: string
  apiKeyFile: string
}

/** What `<data>/up.json` holds for the other commands, for as long as the cluster runs. */
export interface UpState extends Omit<ReadyLine, 'ready'> {
  pid: number
  tracesTokenFile?: string | undefined
  /** The dev Vault's root token. */
  vaultTokenFile: string
  /** The cluster as it runs, with the stand-ins' addresses. */
  clusterFile: string
  auditFile: string
  /** Redis as who may read how far that log went. */
  auditRedis: ReadyLine['redis']
  /** Where the sidecar listens for commands, and what they present. */
  operator: OperatorAccess
  /** The same of the rotator; absent where nothing is rotated. */
  rotator?: OperatorAccess | undefined
}

/** Writes `<data>/up.json`; removed when the cluster ends. */
export function writeState(data: string, state: UpState): AsyncDisposable {
  const file = join(data, 'up.json')
  writeFileSync(`${file}.new`, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return onDispose(() => rmSync(file, { force: true }))
}
