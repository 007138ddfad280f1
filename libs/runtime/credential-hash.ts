import { createHash, timingSafeEqual } from 'node:crypto'

/** SHA-256 of a credential, hex: what is kept and compared in its place. */
export function hashCredential(credential: string): string {
  return createHash('sha256').update(credential).digest('hex')
}

/** Compares two hex hashes in constant time. Different lengths differ. */
export function isSameHash(left: string, right: string): boolean {
  const a = Buffer.from(left, 'hex')
  const b = Buffer.from(right, 'hex')
  return a.length === b.length && timingSafeEqual(a, b)
}
