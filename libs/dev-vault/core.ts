import { randomUUID } from 'node:crypto'
import type { Clock } from '#lib/runtime'
import type { AuditDevices } from './audit/audit-devices.ts'
import { errorInClear, requestEntry, responseEntry, type Audited } from './audit/audit-entry.ts'
import { isWithin } from './cidr.ts'
import type { EngineRequest, Operation, Reply, Route } from './engine.ts'
import { envelope, type Answer } from './envelope.ts'
import {
  badRequest,
  bareRefusal,
  deniedByPolicy,
  invalidToken,
  unsupportedOperation,
  unsupportedPath,
  vaultIsSealed,
  VaultRefusal,
} from './errors.ts'
import { Fields } from './fields.ts'
import type { LeaseStore } from './leases.ts'
import type { PolicyStore } from './acl/policy-store.ts'
import { noHandler, type RouteMatch, type Router } from './router.ts'
import type { Seal } from './seal/seal.ts'
import type { Persistence } from './store/persistence.ts'
import type { TokenEntry } from './tokens/token-entry.ts'
import type { TokenStore } from './tokens/token-store.ts'
import { notWrapping, type WrapInfo, type Wrapping } from './wrapping.ts'

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
  clock: Clock
  audit: AuditDevices
  seal: Seal
  router: Router
  policies: PolicyStore
  tokens: TokenStore
  leases: LeaseStore
  wrapping: Wrapping
  persistence: Persistence
}

/** A request that has been judged: who asks, what it hits, and why it is refused, if it is. */
interface Judged {
  id: string
  wire: WireRequest
  operation: Operation
  match: RouteMatch | undefined
  token: TokenEntry | undefined
  isLastUse: boolean
  results: { allowed: boolean; granting: readonly string[] } | undefined
  refusal: VaultRefusal | undefined
  /** It got a lease, so a read has changed something. */
  isLeased: boolean
}

/** What a handler made, as it leaves. */
interface Outcome {
  answer: Answer
  reply: Reply | undefined
  wrapInfo?: WrapInfo
}

/**
 * The gate that every request passes: seal, token, existence check, policies, audit, route, handler, wrapping, audit
 * again; and the last use of a counted token ends it, whatever the answer was.
 */
export class Core {
  readonly #parts: CoreParts

  constructor(parts: CoreParts) {
    this.#parts = parts
  }

  /** @throws VaultRefusal */
  async handle(wire: WireRequest): Promise<Answer> {
    const match = this.#parts.router.match(routePathOf(wire), wire.operation)
    if (this.#parts.seal.facts.sealed && !match?.route.whileSealed) throw vaultIsSealed()
    if (isWrite(wire.operation) && wire.path.endsWith('/'))
      throw badRequest("cannot write to a path ending in '/'")
    const judged = this.#judge(wire, match)
    try {
      return match?.route.unaudited ? (await this.#run(judged)).answer : await this.#runAudited(judged)
    } finally {
      if (judged.isLastUse) this.#parts.tokens.revokeTree(judged.token!)
      if (mayHaveChanged(judged)) await this.#parts.persistence.save()
    }
  }

  #judge(wire: WireRequest, match: RouteMatch | undefined): Judged {
    const judged: Judged = {
      id: randomUUID(),
      wire,
      operation: operationOf(wire, match),
      match,
      token: undefined,
      isLastUse: false,
      results: undefined,
      refusal: undefined,
      isLeased: false,
    }
    if (match?.route.open) return judged
    if (wire.path === 'sys/wrapping/unwrap' && !this.#opensSomething(wire))
      return { ...judged, refusal: notWrapping() }
    const token = this.#parts.tokens.find(wire.token)
    if (!token || !isWithin(wire.remoteAddress, token.cidrs)) return { ...judged, refusal: invalidToken() }
    const isLastUse = this.#parts.tokens.use(token)
    const results = this.#parts.policies.acl(token.policies).judge({
      operation: judged.operation,
      path: judged.operation === 'list' && !wire.path.endsWith('/') ? `${wire.path}/` : wire.path,
      data: wire.data,
      wrapTtlMs: wire.wrapTtlMs,
      sudo: match?.route.sudo ?? false,
    })
    return { ...judged, token, isLastUse, results, refusal: results.allowed ? undefined : deniedByPolicy() }
  }

  async #runAudited(judged: Judged): Promise<Answer> {
    const { audit } = this.#parts
    audit.record(requestEntry(this.#audited(judged, judged.refusal)))
    let outcome: Outcome
    try {
      outcome = await this.#run(judged)
    } catch (error) {
      const told = error instanceof VaultRefusal ? error.text : undefined
      audit.record(
        responseEntry(this.#audited(judged, error), told === undefined ? {} : { data: { error: told } }),
      )
      throw error
    }
    audit.record(responseEntry(this.#audited(judged), outcome.reply, outcome.wrapInfo))
    return outcome.answer
  }

  #audited({ id, wire, operation, match, token, results }: Judged, error?: unknown): Audited {
    return {
      ...wire,
      id,
      operation,
      token,
      now: this.#parts.clock.now(),
      clientToken: wire.token,
      mount: match?.mount ?? this.#parts.router.mountOf(wire.path),
      policyResults: results,
      error: errorInClear(error),
    }
  }

  async #run(judged: Judged): Promise<Outcome> {
    const { wire, operation, match, token, refusal } = judged
    if (refusal) throw refusal
    if (!match) throw this.#noRoute(wire)
    const handler = match.route.on[operation]
    if (!handler) throw noOperation(match.route, operation)
    const request: EngineRequest = {
      operation,
      path: wire.path,
      params: match.params,
      fields: new Fields(wire.data),
      token,
      clientToken: wire.token,
      wrapTtlMs: wire.wrapTtlMs,
      remoteAddress: wire.remoteAddress,
      mount: match.mount,
    }
    const reply = (await handler(request)) as Reply | undefined
    judged.isLeased = reply?.lease !== undefined
    if (reply?.lease && token) this.#refuseLeaseOfEndedToken(reply.lease.id, token)
    return this.#wrapped(judged, reply)
  }

  #noRoute({ path, operation }: WireRequest): VaultRefusal {
    if (this.#parts.router.mountOf(path)) return unsupportedPath()
    return noHandler(operation === 'list' && !path.endsWith('/') ? `${path}/` : path)
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

  #wrapped({ id, wire }: Judged, reply: Reply | undefined): Outcome {
    const answer = envelope(id, reply)
    if (wire.wrapTtlMs === undefined || answer.body === undefined || reply?.bare !== undefined)
      return { answer, reply }
    const wrapInfo = this.#parts.wrapping.wrap(JSON.stringify(answer.body), {
      path: wire.path,
      ttlMs: wire.wrapTtlMs,
      accessor: reply?.auth?.entry.accessor ?? reply?.wrappedAccessor,
    })
    return { answer: envelope(id, undefined, wrapInfo), reply: undefined, wrapInfo }
  }

  /** Unwrapping by the wrapping token itself, or by any token that names it: a spent one is 400 in both. */
  #opensSomething({ data, token }: WireRequest): boolean {
    const given = data.get('token')
    return this.#parts.wrapping.holds(typeof given === 'string' && given !== '' ? given : token)
  }
}

/** A list is asked of the path with a slash at its end, which only routes with any rest have as well. */
function noOperation({ unaudited, pattern }: Route, operation: Operation): VaultRefusal {
  if (unaudited) return bareRefusal(405)
  return operation === 'list' && !pattern.includes('*') ? unsupportedPath() : unsupportedOperation()
}

/** A list is routed without its last slash; all else as it is judged, so that no slash leads around a rule. */
function routePathOf({ operation, path }: WireRequest): string {
  return operation === 'list' ? path.replace(/\/$/, '') : path
}

const isWrite = (operation: Operation) => operation === 'update' || operation === 'patch'

/** A read changes what counts uses, what is wrapped, and what is leased. */
function mayHaveChanged({ operation, wire, isLastUse, token, isLeased }: Judged): boolean {
  const isRead = ['read', 'list', 'head'].includes(operation)
  const isCounted = isLastUse || (token !== undefined && token.usesLeft !== 0)
  return !isRead || isLeased || isCounted || wire.wrapTtlMs !== undefined
}

/** A write is `create` where the engine checks existence and finds nothing. */
function operationOf({ operation }: WireRequest, match: RouteMatch | undefined): Operation {
  if (operation !== 'update' || !match?.route.exists) return operation
  return match.route.exists(match.params) ? 'update' : 'create'
}

/** The status and body of a refusal. */
export function refusalAnswer(refusal: VaultRefusal): Answer {
  return { status: refusal.status, body: { errors: refusal.text === undefined ? [] : [refusal.text] } }
}
