import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Clock, systemClock } from '#lib/runtime'

const COOKIE = 'tb_traces'
const SESSION_MS = 12 * 3_600_000
const MAX_SESSIONS = 100

/** Who may look: senders and programs show the token as Bearer, a browser a session that the token opened. */
export class Access {
  readonly #tokenHash: Buffer
  readonly #clock: Clock
  readonly #sessions = new Map<string, number>()

  /** @throws Error when the token is too short to be one */
  constructor(token: string, clock: Clock = systemClock) {
    if (token.length < 16) throw new Error('the trace store needs a token of at least 16 characters')
    this.#tokenHash = sha256(token)
    this.#clock = clock
  }

  /** True when `token` is the token. Takes the same time whatever it is. */
  isToken(token: string): boolean {
    return timingSafeEqual(sha256(token), this.#tokenHash)
  }

  hasBearer(request: FastifyRequest): boolean {
    const [, token] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? []
    return token !== undefined && this.isToken(token)
  }

  hasSession(request: FastifyRequest): boolean {
    const until = this.#sessions.get(request.cookies[COOKIE] ?? '')
    return until !== undefined && until > this.#clock.now()
  }

  /** Begins a session in the browser. The oldest ends when there are more than 100. */
  begin(reply: FastifyReply): void {
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, this.#clock.now() + SESSION_MS)
    const [oldest] = this.#sessions.keys()
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(oldest!)
    reply.setCookie(COOKIE, id, { path: '/', httpOnly: true, sameSite: 'strict', maxAge: SESSION_MS / 1000 })
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()

/** True when a Host header names this machine: a page elsewhere whose name was rebound to loopback cannot reach us by it. */
export function isLoopbackHost(host: string | undefined): boolean {
  return /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host ?? '')
}

/** True when a write comes from one of our own pages. A browser names the origin on every POST. */
export function isOwnOrigin(request: FastifyRequest): boolean {
  return request.headers.origin === `http://${request.headers.host}`
}
