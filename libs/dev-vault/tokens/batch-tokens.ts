import { randomBytes } from 'node:crypto'
import { hashCredential } from '#lib/runtime'
import { decrypt, encrypt } from '../seal/keyring.ts'
import type { TokenEntry } from './token-entry.ts'

const PREFIX = 'hvb.'

/** Tokens that are kept nowhere: all that there is to know of one is in it, encrypted. */
export class BatchTokens {
  readonly key: Buffer

  /** Tokens made under another key are none. Default: a new key. */
  constructor(key: Buffer = randomBytes(32)) {
    this.key = key
  }

  make(entry: Omit<TokenEntry, 'hash'>): { token: string; entry: TokenEntry } {
    const token = PREFIX + encrypt(this.key, Buffer.from(JSON.stringify(entry))).toString('base64url')
    return { token, entry: { ...entry, hash: hashCredential(token) } }
  }

  /** What the token says of itself; undefined for one that was not made here. */
  open(token: string): TokenEntry | undefined {
    if (!token.startsWith(PREFIX)) return undefined
    const hidden = Buffer.from(token.slice(PREFIX.length), 'base64url')
    const plain = hidden.length > 28 ? decrypt(this.key, hidden) : undefined
    if (!plain) return undefined
    return { ...(JSON.parse(plain.toString()) as TokenEntry), hash: hashCredential(token) }
  }
}
