import type { KeyObject } from 'node:crypto'
import type { AuditLog } from '#lib/audit'
import {
  BadBrokerRequestError,
  type CarriedSecret,
  EgressRefusedError,
  hostOf,
  isSameOrigin,
  matchEgress,
} from '#lib/broker'
import { type Cluster, type Connect, modelRoute, type Secret, secretKind, usableSecrets } from '#lib/cluster'
import type { Log } from '#lib/runtime'
import type { Lease, SecretRead, SecretReader } from '#lib/secrets'
import { NoLeaseError, NotUsableError } from './errors.ts'
import type { LiveAttempt } from './live-attempt.ts'
import type { HandedValue, Redactions } from './redactions.ts'

export interface AccessOptions {
  cluster: Cluster
  reader: SecretReader
  audit: AuditLog
  /** Keys the marks that stand for values in the audit log. */
  auditKey: KeyObject
  redactions: Redactions
  log: Log
}

/** What is done with a secret, as the audit log names it. */
type Action = 'model' | 'egress' | 'read' | 'lease' | 'relay'

/** One use, as it is put on record. */
interface Use {
  action: Action
  secret: string
  generation?: number
  stale?: boolean
  vaultRequest?: string | undefined
  value?: string
  to?: string
}

/** A secret with an egress rule, and its value. */
export interface BrokeredSecret {
  name: string
  egress: NonNullable<Secret['egress']>
  read: SecretRead
}

/**
 * What attempts get of secrets: found in the cluster file, judged by it and by Vault, on record before it is given (I8).
 */
export class Access {
  readonly #options: AccessOptions

  constructor(options: AccessOptions) {
    this.#options = options
  }

  /** Which provider and secret serve a model for this attempt. @throws NotUsableError, BadBrokerRequestError */
  modelOf(
    attempt: LiveAttempt,
    asked?: string,
  ): { model: string; provider: 'anthropic' | 'openai'; secret: Secret } {
    const model = asked ?? attempt.agentType.model
    if (!model)
      throw new BadBrokerRequestError(
        `"model": agent type "${attempt.agentType.name}" has no model; name one`,
      )
    const route = modelRoute(this.#options.cluster, model)
    if (!route) throw new NotUsableError(`no provider serves model "${model}"`)
    return { model, provider: route.provider, secret: this.#usable(attempt, route.secret) }
  }

  /** The first secret whose egress rules let this request pass; several may be for one host. @throws EgressRefusedError */
  forRequest(attempt: LiveAttempt, method: string, address: string): Secret {
    let refusal: unknown
    for (const secret of this.#usableAll(attempt))
      if (secret.egress && isSameOrigin(secret.egress, address))
        try {
          matchEgress(secret.egress, method, address)
          return secret
        } catch (error) {
          refusal ??= error
        }
    throw refusal ?? new EgressRefusedError('no secret of this agent type has an egress rule for this host')
  }

  /** A secret to put into a request. */
  async brokered(attempt: LiveAttempt, secret: Secret, action: 'model' | 'egress'): Promise<BrokeredSecret> {
    if (!secret.egress) throw new NotUsableError(`secret "${secret.name}" has no egress rule`)
    const read = await this.#options.reader.read(attempt.agentType.name, secret.name)
    return await this.#brokered(attempt, { name: secret.name, egress: secret.egress, read }, action)
  }

  /** The service refused this generation of the secret. Gives a newer one if there is one. */
  async newer(
    attempt: LiveAttempt,
    { name, egress, read: refused }: BrokeredSecret,
    action: 'model' | 'egress',
  ): Promise<BrokeredSecret | undefined> {
    const read = await this.#options.reader.newer(attempt.agentType.name, name, refused.generation)
    return read && (await this.#brokered(attempt, { name, egress, read }, action))
  }

  /** A value for the context itself: `deliver: value` alone. */
  async value(attempt: LiveAttempt, name: string): Promise<SecretRead> {
    const secret = this.#usable(attempt, name)
    if (secretKind(secret) !== 'static')
      throw new NotUsableError(`secret "${name}" is leased, not read: ask for a lease`)
    if (secret.deliver !== 'value')
      throw new NotUsableError(
        `secret "${name}" is delivered by the broker: use fetch; its value never enters a context`,
      )
    const read = await this.#options.reader.read(attempt.agentType.name, name)
    await this.#record(attempt, { action: 'read', ...this.#facts(read) })
    await this.#hand(attempt, { name, value: read.value.reveal() })
    return read
  }

  /** A database user for this attempt. The lease is on record before Vault is asked, and what Vault made of it after. */
  async lease(attempt: LiveAttempt, name: string): Promise<Lease> {
    this.#database(attempt, name)
    await this.#record(attempt, { action: 'lease', secret: name })
    const lease = await attempt.leases.lease(name)
    const made = { secret: name, user: lease.credentials.user, vaultRequest: lease.requestId }
    void this.#options.audit.note({ ...attempt.facts(), action: 'leased', outcome: 'allowed', ...made })
    await this.#hand(attempt, { name, value: lease.credentials.password })
    attempt.leased.add(name)
    return lease
  }

  /** Where a relay of a leased secret leads. */
  async relayTo(attempt: LiveAttempt, name: string): Promise<Connect> {
    const connect = this.#database(attempt, name)
    if (!attempt.leased.has(name)) throw new NoLeaseError(name)
    await this.#record(attempt, { action: 'relay', secret: name, to: databaseOf(connect) })
    return connect
  }

  /** Notes which address a secret's use went to: each one once. */
  dialled(attempt: LiveAttempt, secret: string, address: string): void {
    if (!attempt.dialled(`${secret} ${address}`)) return
    const facts = { ...attempt.facts(), action: 'dialled', outcome: 'allowed' } as const
    void this.#options.audit.note({ ...facts, secret, dialled: address })
  }

  /** Notes a refusal; after the twentieth of an attempt they are only counted. */
  denied(attempt: LiveAttempt, what: string, reason: string): void {
    if (!attempt.denied()) return
    const facts = { ...attempt.facts(), what: attempt.masked(what), reason }
    this.#options.log.warn(facts, 'access denied')
    void this.#options.audit.note({ ...facts, action: 'deny', outcome: 'denied' })
  }

  /** A brokered secret as the broker carries it; a service that sends it back is noted. */
  carried(attempt: LiveAttempt, { name, egress, read }: BrokeredSecret): CarriedSecret {
    const echoed = () => this.#options.redactions.echoed(attempt, name)
    const dialled = (address: string) => this.dialled(attempt, name, address)
    return { egress, reveal: () => read.value.reveal(), echoed, dialled }
  }

  async #brokered(attempt: LiveAttempt, secret: BrokeredSecret, action: 'model' | 'egress') {
    await this.#record(attempt, { action, to: hostOf(secret.egress), ...this.#facts(secret.read) })
    attempt.redactor?.add(secret.name, secret.read.value.reveal())
    return secret
  }

  /** From the first value that a context is handed, all that it says is searched: for the broker's keys of its type, too. */
  async #hand(attempt: LiveAttempt, handed: HandedValue): Promise<void> {
    const keys = attempt.redactor ? [] : this.#brokerKeys(attempt)
    await this.#options.redactions.hand(attempt, [handed, ...keys])
  }

  /** Those that were read: no other can have been in an answer. What is read later is added then. */
  #brokerKeys(attempt: LiveAttempt): HandedValue[] {
    const { name: agentType } = attempt.agentType
    return this.#usableAll(attempt).flatMap(({ name, egress }) => {
      const value = egress && this.#options.reader.kept(agentType, name)
      return value ? [{ name, value: value.reveal() }] : []
    })
  }

  #database(attempt: LiveAttempt, name: string): Connect {
    const secret = this.#usable(attempt, name)
    if (!secret.connect || secretKind(secret) !== 'database')
      throw new NotUsableError(`secret "${name}" is no database: it cannot be leased`)
    return secret.connect
  }

  /** One answer for what does not exist and what is not for this type, so that names cannot be probed. */
  #usable(attempt: LiveAttempt, name: string): Secret {
    const found = this.#usableAll(attempt).find((secret) => secret.name === name)
    if (!found)
      throw new NotUsableError(`agent type "${attempt.agentType.name}" may not use secret "${name}"`)
    return found
  }

  #usableAll(attempt: LiveAttempt): Secret[] {
    const { cluster } = this.#options
    return usableSecrets(cluster, attempt.agentType.name).map((name) => cluster.secrets[name]!)
  }

  #facts({ value, generation, stale, requestId: vaultRequest }: SecretRead) {
    return { secret: value.name, generation, stale, vaultRequest, value: value.mark(this.#options.auditKey) }
  }

  async #record(attempt: LiveAttempt, what: Use): Promise<void> {
    attempt.budget.access()
    attempt.used.add(what.secret)
    await this.#options.audit.record({ ...attempt.facts(), outcome: 'allowed', ...what })
    attempt.signal.throwIfAborted()
    const { value: _mark, ...logged } = what
    this.#options.log.info({ ...attempt.facts(), ...logged }, 'secret used')
  }
}

/** Where a database is declared to be. */
const databaseOf = ({ host, port, socket }: Connect) => (socket ? `${socket}:${port}` : `${host}:${port}`)
