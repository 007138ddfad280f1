import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { joinShares, splitSecret } from './shamir.ts'

/** What is kept of the keys while the Vault is sealed: how many shares open it, and the data key under their key. */
export interface Keyring {
  shares: number
  threshold: number
  wrappedDataKey: Buffer
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export interface KeyringOptions {
  shares: number
  threshold: number
  /** 32 bytes. Default: random ones. */
  unsealKey?: Buffer
}

/** New keys: the ring, the shares that open it (to be handed out and kept nowhere), and the data key. */
export function makeKeyring({ shares, threshold, unsealKey = randomBytes(32) }: KeyringOptions) {
  const dataKey = randomBytes(32)
  const keyring: Keyring = { shares, threshold, wrappedDataKey: encrypt(unsealKey, dataKey) }
  return { keyring, parts: splitSecret(unsealKey, { shares, threshold }), dataKey }
}

/** The data key, or undefined when the shares are not those of this ring. */
export function openKeyring(keyring: Keyring, parts: readonly Buffer[]): Buffer | undefined {
  const unsealKey = joinShares(parts)
  return unsealKey.length === 32 ? decrypt(unsealKey, keyring.wrappedDataKey) : undefined
}

/** AES-256-GCM: nonce, text, tag. */
export function encrypt(key: Buffer, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv(CIPHER, key, nonce)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** What `encrypt` hid; undefined for another key, and for bytes that were changed or cut. */
export function decrypt(key: Buffer, hidden: Buffer): Buffer | undefined {
  if (hidden.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, hidden.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(hidden.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(hidden.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}
