import { randomUUID } from 'node:crypto'
import { isWithin } from './cidr.ts'
import type { Operation, Reply, EngineRequest } from './engine.ts'
import { envelope, type Answer } from './envelope.ts'
import {
  badRequest,
  deniedByPolicy,
  invalidToken,
  unsupportedOperation,
  unsupportedPath,
  vaultIsSealed,
  type VaultRefusal,
} from './errors.ts'
import { Fields } from './fields.ts'
import type { LeaseStore } from './leases.ts'
import type { PolicyStore } from './acl/policy-store.ts'
import { noHandler, type RouteMatch, type Router } from './router.ts'
import type { Seal } from './seal/seal.ts'
import type { TokenEntry } from './tokens/token-entry.ts'
import type { TokenStore } from './tokens/token-store.ts'
import { notWrapping, type Wrapping } from './wrapping.ts'

/** A request as it came over the wire, decoded. */
export interface WireRequest {
  operation: Operation
  path: string
  token: string
  data: ReadonlyMap<string, unknown>
  wrapTtlMs: number | undefined
  remoteAddress: string
  remotePort: number
}

export interface CoreParts {
  seal: Seal
  router: Router
  policies: PolicyStore
  tokens: TokenStore
  leases: LeaseStore
  wrapping: Wrapping
}

/** A request on its way, with who asks and what it hits. */
interface Judged {
  wire: WireRequest
  operation: Operation
  match: RouteMatch | undefined
  token: TokenEntry | undefined
}

/**
 * The gate that every request passes: token, existence check, policies, route, handler, wrapping; and the last use of
 * a counted token ends it, whatever the answer was.
 */
export class Core {
  readonly #parts: CoreParts

  constructor(parts: CoreParts) {
    this.#parts = parts
  }

  /** @throws VaultRefusal */
  async handle(wire: WireRequest): Promise<Answer> {
    const match = this.#parts.router.match(wire.path.replace(/\/$/, ''))
    if (this.#parts.seal.facts.sealed && !match?.route.whileSealed) throw vaultIsSealed()
    if (isWrite(wire.operation) && wire.path.endsWith('/'))
      throw badRequest("cannot write to a path ending in '/'")
    if (match?.route.open) return this.#answer({ wire, match, operation: wire.operation, token: undefined })
    if (wire.path === 'sys/wrapping/unwrap') this.#checkWrapping(wire)
    const token = this.#parts.tokens.find(wire.token)
    if (!token || !isWithin(wire.remoteAddress, token.cidrs)) throw invalidToken()
    const isLastUse = this.#parts.tokens.use(token)
    try {
      return await this.#judge({ wire, match, operation: operationOf(wire, match), token })
    } finally {
      if (isLastUse) this.#parts.tokens.revokeTree(token)
    }
  }

  async #judge(judged: Judged): Promise<Answer> {
    const { wire, operation, match, token } = judged
    const allowed = this.#parts.policies.acl(token!.policies).allows({
      operation,
      path: operation === 'list' && !wire.path.endsWith('/') ? `${wire.path}/` : wire.path,
      data: wire.data,
      wrapTtlMs: wire.wrapTtlMs,
      sudo: match?.route.sudo ?? false,
    })
    if (!allowed) throw deniedByPolicy()
    if (match) return this.#answer(judged)
    throw this.#parts.router.mountOf(wire.path) ? unsupportedPath() : noHandler(wire.path)
  }

  async #answer({ wire, match, operation, token }: Judged): Promise<Answer> {
    const handler = match!.route.on[operation]
    if (!handler) throw unsupportedOperation()
    const request: EngineRequest = {
      operation,
      path: wire.path,
      params: match!.params,
      fields: new Fields(wire.data),
      token,
      clientToken: wire.token,
      wrapTtlMs: wire.wrapTtlMs,
      remoteAddress: wire.remoteAddress,
      mount: match!.mount,
    }
    const reply = (await handler(request)) as Reply | undefined
    if (reply?.lease && token) this.#refuseLeaseOfEndedToken(reply.lease.id, token)
    return this.#wrapped(wire, reply)
  }

  /** A token that ended while its secret was made must not leave the secret behind. */
  #refuseLeaseOfEndedToken(leaseId: string, token: TokenEntry): void {
    if (this.#parts.tokens.isLive(token)) return
    const lease = this.#parts.leases.get(leaseId)
    if (lease) this.#parts.leases.revokeLazily(lease)
    throw badRequest(
      'Secret cannot be returned; token had one use left, so leased credentials were immediately revoked.',
    )
  }

  #wrapped(wire: WireRequest, reply: Reply | undefined): Answer {
    const requestId = randomUUID()
    const answer = envelope(requestId, reply)
    if (wire.wrapTtlMs === undefined || answer.body === undefined || reply?.bare !== undefined) return answer
    const info = this.#parts.wrapping.wrap(JSON.stringify(answer.body), {
      path: wire.path,
      ttlMs: wire.wrapTtlMs,
      accessor: reply?.auth?.entry.accessor ?? reply?.wrappedAccessor,
    })
    return envelope(requestId, undefined, info)
  }

  /** Unwrapping by the wrapping token itself, or by any token that names it: a spent one is 400 in both. */
  #checkWrapping({ data, token }: WireRequest): void {
    const given = data.get('token')
    if (!this.#parts.wrapping.holds(typeof given === 'string' && given !== '' ? given : token))
      throw notWrapping()
  }
}

const isWrite = (operation: Operation) => operation === 'update' || operation === 'patch'

/** A write is `create` where the engine checks existence and finds nothing. */
function operationOf({ operation }: WireRequest, match: RouteMatch | undefined): Operation {
  if (operation !== 'update' || !match?.route.exists) return operation
  return match.route.exists(match.params) ? 'update' : 'create'
}

/** The status and body of a refusal. */
export function refusalAnswer(refusal: VaultRefusal): Answer {
  return { status: refusal.status, body: { errors: refusal.text === undefined ? [] : [refusal.text] } }
}
