import type { TokenKind } from './token-type.ts'

/** What is kept of a token: never the token itself. Times in milliseconds, 0 for none. */
export interface TokenEntry {
  kind: TokenKind
  /** SHA-256 of the token. */
  hash: string
  /** Empty for a batch token. */
  accessor: string
  parent: string | undefined
  policies: string[]
  path: string
  displayName: string
  meta: Record<string, string> | null
  role: string | undefined
  /** Uses that are left; 0 is without limit. */
  usesLeft: number
  createdAt: number
  ttlMs: number
  periodMs: number
  explicitMaxMs: number
  renewable: boolean
  /** Address blocks that it may be used from; empty is from everywhere. */
  cidrs: string[]
  /** What a wrapping token holds. */
  wrapped?: { body: string; creationPath: string }
}

export interface RenewalLimits {
  periodMs: number
  explicitMaxMs: number
  /** The role's own time to live and maximum, of an auth method. */
  defaultMs?: number
  maxMs?: number
  mountDefaultMs?: number
  mountMaxMs?: number
}
