import type { Clock } from '#lib/runtime'
import { inSeconds } from './durations.ts'
import { write, type EngineRequest, type Reply, type Route } from './engine.ts'
import { badRequest } from './errors.ts'
import type { TokenEntry } from './tokens/token-entry.ts'
import { isoTime } from './tokens/token-replies.ts'
import type { TokenStore } from './tokens/token-store.ts'

/** What stands in an envelope in place of the reply that was wrapped. */
export interface WrapInfo {
  token: string
  accessor: string
  ttl: number
  creation_time: string
  creation_path: string
  wrapped_accessor?: string
}

/** Replies kept behind a token that opens them once. */
export class Wrapping {
  readonly #clock: Clock
  readonly #tokens: TokenStore

  constructor(options: { clock: Clock; tokens: TokenStore }) {
    this.#clock = options.clock
    this.#tokens = options.tokens
  }

  /** Keeps `body` until the first unwrap or the end of its time. */
  wrap(body: string, options: { path: string; ttlMs: number; accessor: string | undefined }): WrapInfo {
    const { token, entry } = this.#tokens.create({
      policies: ['response-wrapping'],
      path: options.path,
      displayName: '',
      ttlMs: options.ttlMs,
      explicitMaxMs: options.ttlMs,
      usesLeft: 1,
      renewable: false,
      wrapped: { body, creationPath: options.path },
    })
    return {
      token,
      accessor: entry.accessor,
      ttl: inSeconds(options.ttlMs),
      creation_time: isoTime(this.#clock.now()),
      creation_path: options.path,
      ...(options.accessor !== undefined && { wrapped_accessor: options.accessor }),
    }
  }

  routes(): Route[] {
    return [
      { pattern: 'wrapping/wrap', on: write((request) => wrapAnything(request)) },
      { pattern: 'wrapping/unwrap', on: write((request) => this.#unwrap(request)) },
      {
        pattern: 'wrapping/lookup',
        open: true,
        on: {
          read: (request) => this.#lookup(request),
          ...write((request) => this.#lookup(request)),
        },
      },
    ]
  }

  /** True for a token whose reply has not been opened. */
  holds(token: string): boolean {
    return this.#tokens.find(token)?.wrapped !== undefined
  }

  #unwrap({ fields, token, clientToken }: EngineRequest): Reply | undefined {
    const given = fields.string('token')
    const entry = given === '' || given === clientToken ? token : this.#tokens.find(given)
    const { body } = wrappedIn(entry)
    this.#tokens.revokeOrphan(entry!)
    return { bare: JSON.parse(body) }
  }

  #lookup({ fields, clientToken }: EngineRequest): Reply {
    const entry = this.#tokens.find(fields.string('token') || clientToken)
    const { creationPath } = wrappedIn(entry)
    return {
      data: {
        creation_path: creationPath,
        creation_time: isoTime(entry!.createdAt),
        creation_ttl: inSeconds(entry!.ttlMs),
      },
    }
  }
}

function wrapAnything({ wrapTtlMs, fields }: EngineRequest): Reply {
  if (wrapTtlMs === undefined) throw badRequest('endpoint requires response wrapping to be used')
  return { data: Object.fromEntries(fields.all) }
}

/** The refusal of a token that is spent, expired, or wraps nothing. */
export const notWrapping = () => badRequest('wrapping token is not valid or does not exist')

function wrappedIn(entry: TokenEntry | undefined): { body: string; creationPath: string } {
  if (!entry?.wrapped) throw notWrapping()
  return entry.wrapped
}
