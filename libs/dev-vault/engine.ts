import type { Fields } from './fields.ts'
import type { Mount } from './router.ts'
import type { Lease, LeaseRecord } from './leases.ts'
import type { RenewalLimits, TokenEntry } from './tokens/token-entry.ts'

/** What a request wants, as policies see it. A write is `update` until an engine's existence check makes it `create`. */
export type Operation = 'read' | 'list' | 'create' | 'update' | 'patch' | 'delete' | 'head'

/** A request that has passed the gate, as an engine sees it. */
export interface EngineRequest {
  operation: Operation
  /** The whole path without `/v1/`. */
  path: string
  /** The named parts of the route's pattern. */
  params: Readonly<Record<string, string>>
  fields: Fields
  /** The caller. Only open routes are called without one. */
  token: TokenEntry | undefined
  /** The token as it was sent. */
  clientToken: string
  wrapTtlMs: number | undefined
  /** Where it came from. */
  remoteAddress: string
  mount: Mount
}

/** The `auth` part of a reply. */
export interface AuthReply {
  entry: TokenEntry
  /** Empty where the caller may not learn it. */
  clientToken: string
  leaseMs: number
}

/** What an engine answers. Nothing at all is a 204. */
export interface Reply {
  data?: Record<string, unknown>
  auth?: AuthReply
  lease?: { id: string; ms: number; renewable: boolean }
  warnings?: string[]
  /** Default: 200 with content, 204 without. */
  status?: number
  /** A body without the envelope. */
  bare?: unknown
  /** Copies `data` to the top level too, as some sys routes do. */
  alsoOnTop?: boolean
  /** The accessor that `wrap_info` names when this reply is wrapped. */
  wrappedAccessor?: string
}

type Handler = (request: EngineRequest) => Reply | void | Promise<Reply | void>

/** One route of an engine. `:name` is one segment of letters, digits, `_.-`; `*name` is the rest of the path. */
export interface Route {
  pattern: string
  on: Partial<Record<Operation, Handler>>
  /** The existence check: with it, a write to what does not exist needs `create`. */
  exists?: (params: Readonly<Record<string, string>>) => boolean
  /** Answers without a token. */
  open?: boolean
  /** Answers while the Vault is sealed. */
  whileSealed?: boolean
  /** Counts only where no other route fits. */
  isFallback?: boolean
  /** Leaves no line in audit devices, as the state of the seal does not. */
  unaudited?: boolean
  /** Root-protected: needs `sudo` too. */
  sudo?: boolean
}

/** What a mount runs. Disposal ends what it holds outside (database connections). */
export interface Engine {
  type: string
  routes: Route[]
  close?: () => Promise<void>
  /** What it holds, as structured data, and the way back. */
  save?: () => unknown
  load?(saved: unknown): void
  /** A lease of its own from its record; undefined when it cannot end it any more. */
  bindLease?: (record: LeaseRecord, mount: Mount) => Lease | undefined
  /** What counts when a token of its logins is renewed. */
  limitsOf?: (entry: TokenEntry, mount: Mount) => RenewalLimits
}

/** Both kinds of write by one handler. */
export const write = (handler: Handler) => ({ create: handler, update: handler })
