import { randomUUID } from 'node:crypto'
import { GrantRefusedError } from './errors.ts'

const REMEMBERED_JOBS = 100_000

/** Who asks for a grant: an attempt, in a context. A caller may carry more facts along. */
export interface GrantClaim {
  agentType: string
  contextId: string
  jobId: string
  /** From 1. */
  attempt: number
}

/** An attempt's right to ask, over the connections of its context. */
export type Grant<Claim extends GrantClaim = GrantClaim> = Readonly<Claim> & { readonly id: string }

interface Bound<Connection, Claim extends GrantClaim> {
  agentType: string
  connections: Set<Connection>
  grant: Grant<Claim> | undefined
  claimed: boolean
}

/**
 * Which connection may ask for what: the state, and nothing that waits or talks.
 * G1: a context is claimed once in its life, and takes no further connection after that.
 * G2: an attempt of a job is claimed once; an earlier attempt never after a later one.
 * G3: a grant ends with its attempt, or when the last connection of its context is gone; an ended one answers nothing.
 */
export class GrantTable<Connection extends object, Claim extends GrantClaim = GrantClaim> {
  readonly #contexts = new Map<string, Bound<Connection, Claim>>()
  readonly #byConnection = new Map<Connection, string>()
  readonly #live = new Map<string, Grant<Claim>>()
  readonly #highestAttempt = new Map<string, number>()

  /** Notes that a connection, accepted on the socket of `agentType`, belongs to a context. @throws GrantRefusedError */
  bind(contextId: string, connection: Connection, agentType: string): void {
    if (this.#byConnection.has(connection)) throw new GrantRefusedError('connection-bound', contextId)
    const bound = this.#contexts.get(contextId) ?? {
      agentType,
      connections: new Set<Connection>(),
      grant: undefined,
      claimed: false,
    }
    if (bound.agentType !== agentType) throw new GrantRefusedError('wrong-agent-type', contextId)
    if (bound.claimed) throw new GrantRefusedError('context-claimed', contextId)
    bound.connections.add(connection)
    this.#contexts.set(contextId, bound)
    this.#byConnection.set(connection, contextId)
  }

  /** How many connections a context has. */
  count(contextId: string): number {
    return this.#contexts.get(contextId)?.connections.size ?? 0
  }

  /** Notes that a connection is gone. Gives the grant that ended with it, if it was the context's last. */
  unbind(connection: Connection): Grant<Claim> | undefined {
    const contextId = this.#byConnection.get(connection)
    const bound = contextId === undefined ? undefined : this.#contexts.get(contextId)
    this.#byConnection.delete(connection)
    if (contextId === undefined || !bound) return undefined
    bound.connections.delete(connection)
    if (bound.connections.size > 0) return undefined
    this.#contexts.delete(contextId)
    return bound.grant && this.end(bound.grant.id)
  }

  /** Gives the attempt its grant, over all connections of its context. @throws GrantRefusedError */
  claim(claim: Claim): Grant<Claim> {
    const bound = this.#contexts.get(claim.contextId)
    if (!bound) throw new GrantRefusedError('unknown-context', claim.contextId)
    if (bound.agentType !== claim.agentType) throw new GrantRefusedError('wrong-agent-type', claim.contextId)
    if (bound.claimed) throw new GrantRefusedError('context-claimed', claim.contextId)
    const job = `${claim.agentType}/${claim.jobId}`
    if (claim.attempt <= (this.#highestAttempt.get(job) ?? 0))
      throw new GrantRefusedError('attempt-claimed', `${claim.jobId} attempt ${claim.attempt}`)
    const grant = { ...claim, id: randomUUID() }
    this.#remember(job, claim.attempt)
    Object.assign(bound, { grant, claimed: true })
    this.#live.set(grant.id, grant)
    return grant
  }

  /** The live grant that a connection asks under; undefined when it has none (yet, or any more). */
  grantOf(connection: Connection): Grant<Claim> | undefined {
    const contextId = this.#byConnection.get(connection)
    return contextId === undefined ? undefined : this.#contexts.get(contextId)?.grant
  }

  /** The live grant of this id. */
  get(grantId: string): Grant<Claim> | undefined {
    return this.#live.get(grantId)
  }

  /** The connections over which a live grant asks. */
  connectionsOf(grantId: string): Connection[] {
    const grant = this.#live.get(grantId)
    return grant ? [...(this.#contexts.get(grant.contextId)?.connections ?? [])] : []
  }

  /** Ends a grant and gives it; undefined when it had ended. */
  end(grantId: string): Grant<Claim> | undefined {
    const grant = this.#live.get(grantId)
    if (!grant) return undefined
    this.#live.delete(grantId)
    const bound = this.#contexts.get(grant.contextId)
    if (bound) bound.grant = undefined
    return grant
  }

  /** The oldest jobs are forgotten first; claiming one of those again would still need its lock. */
  #remember(job: string, attempt: number): void {
    this.#highestAttempt.delete(job)
    this.#highestAttempt.set(job, attempt)
    if (this.#highestAttempt.size > REMEMBERED_JOBS)
      this.#highestAttempt.delete(this.#highestAttempt.keys().next().value!)
  }
}
