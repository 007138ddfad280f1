import { randomBytes } from 'node:crypto'

/** A uuid v7 (RFC 9562, section 5.7) without dashes: 48 bits of time in milliseconds, 74 random bits. */
export function randomUUIDv7(nowMs = Date.now()): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(nowMs, 0, 6)
  bytes[6] = 0x70 | (bytes[6]! & 0x0f)
  bytes[8] = 0x80 | (bytes[8]! & 0x3f)
  return bytes.toString('hex')
}
