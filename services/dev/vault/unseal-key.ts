import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, readCredential } from '#lib/runtime'
import type { Config } from './config.ts'

/**
 * The key of the data folder, from its file. For a new folder it is made, and is in the file before anything is
 * encrypted with it. An old folder whose key file is gone has none: the Vault starts sealed.
 * @throws ConfigError when there is a folder and no file is named for its key
 */
export function unsealKeyOf({ data, unsealKeyFile: file }: Config): string | undefined {
  if (data === undefined) return undefined
  if (file === undefined)
    throw new ConfigError(['TB_UNSEAL_KEY_FILE: not set, needed with TB_DATA or --data'])
  if (!existsSync(file)) {
    if (existsSync(join(data, 'keyring'))) return undefined
    writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  }
  return readCredential(file)
}
