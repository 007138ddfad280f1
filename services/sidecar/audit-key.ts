import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { readCredential } from '#lib/runtime'

/** What values are marked with in the audit log. Without a file, marks of one run match each other alone. @throws ConfigError */
export function auditKeyOf(file: string | undefined): KeyObject {
  return createSecretKey(file ? Buffer.from(readCredential(file)) : randomBytes(32))
}
