import type { FastifyReply, FastifyRequest } from 'fastify'
import { bearerOf, cookieSettings, SESSION_MS, Sessions } from '#lib/http'
import { ConfigError, hashCredential, isSameHash } from '#lib/runtime'

const COOKIE = 'tb_traces'

/** Who may look: senders and programs show the token as Bearer, a browser a session that the token opened. */
export class Access {
  readonly #tokenHash: string
  readonly #sessions = new Sessions()

  /** @throws ConfigError when the token is too short to be one */
  constructor(token: string) {
    if (token.length < 16)
      throw new ConfigError([
        `TB_TOKEN_FILE: expected a token of at least 16 characters, found ${token.length}`,
      ])
    this.#tokenHash = hashCredential(token)
  }

  /** True when `token` is the token. Takes the same time whatever it is. */
  isToken(token: string): boolean {
    return isSameHash(hashCredential(token), this.#tokenHash)
  }

  hasBearer(request: FastifyRequest): boolean {
    const token = bearerOf(request.headers.authorization)
    return token !== undefined && this.isToken(token)
  }

  hasSession(request: FastifyRequest): boolean {
    return this.#sessions.keyHashOf(request.cookies[COOKIE]) !== undefined
  }

  /** Begins a session in the browser. */
  begin(reply: FastifyReply): void {
    reply.setCookie(COOKIE, this.#sessions.begin(this.#tokenHash), cookieSettings(SESSION_MS))
  }
}
