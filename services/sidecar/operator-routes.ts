import type { IncomingMessage } from 'node:http'
import type { AuditLog } from '#lib/audit'
import { type Cluster, secretKind, usableSecrets } from '#lib/cluster'
import { RevocationTarget } from '#lib/queue'
import type { SecretReader } from '#lib/secrets'
import * as z from 'zod'
import { NoRouteError } from './errors.ts'
import { parseBody, readJson } from './exchange.ts'
import { failureOf } from './failure.ts'
import type { Revocations } from './revocations.ts'
import { sourceOf } from './source.ts'

const Name = z.string().max(100)
const Operator = z.string().max(100)
const Refresh = z.strictObject({ secret: Name, operator: Operator })
const Act = z.strictObject({
  action: z.enum(['reveal', 'create', 'delete']),
  secret: Name,
  generation: z.int().nonnegative(),
  vaultRequest: z.string().max(100).exactOptional(),
  operator: Operator,
})
const Revoke = z.strictObject({
  target: RevocationTarget,
  operator: Operator,
  keepRunning: z.boolean(),
  dryRun: z.boolean(),
})

export interface OperatorRoutesOptions {
  cluster: Cluster
  reader: SecretReader
  audit: Pick<AuditLog, 'record'>
  revocations: Pick<Revocations, 'preview' | 'revoke'>
}

/** What an agent type gets of a secret now: a generation, or why it gets none. */
interface Reading {
  agentType: string
  generation?: number
  error?: string
}

/**
 * What an operator may ask: `GET /v1/cache`, what is kept of each secret; `POST /v1/refresh`, forget one and read it anew;
 * `POST /v1/revocations`, end what is held of a secret, by an agent type or in a trace (`dryRun`: say which attempts hold it);
 * `POST /v1/acts`, put an act of the operator on record. An answer to an act says that it is: what reveals a value waits for it.
 */
export class OperatorRoutes {
  readonly #options: OperatorRoutesOptions

  constructor(options: OperatorRoutesOptions) {
    this.#options = options
  }

  /** @throws NoRouteError, BadBrokerRequestError, AuditUnavailableError */
  async answer(request: IncomingMessage): Promise<object> {
    const { method = '', url = '' } = request
    if (method === 'GET' && url === '/v1/cache') return this.#cache()
    if (method !== 'POST') throw new NoRouteError(method, url)
    const source = sourceOf(request.socket)
    if (url === '/v1/refresh') return this.#refresh(parseBody(Refresh, await readJson(request)), source)
    if (url === '/v1/revocations') return this.#revoke(parseBody(Revoke, await readJson(request)), source)
    if (url === '/v1/acts') return this.#record(parseBody(Act, await readJson(request)), source)
    throw new NoRouteError(method, url)
  }

  #cache(): object {
    const { cluster, reader } = this.#options
    return Object.fromEntries(Object.keys(cluster.secrets).map((name) => [name, reader.cached(name)]))
  }

  /** Reads for each agent type that may use the secret: what it finds is what their next attempts find. */
  async #refresh(
    { secret, operator }: z.infer<typeof Refresh>,
    source: string,
  ): Promise<{ readings: Reading[] }> {
    const { cluster, reader, audit } = this.#options
    await audit.record({ action: 'refresh', outcome: 'allowed', secret, operator, source })
    reader.forget(secret)
    const declared = Object.hasOwn(cluster.secrets, secret) ? cluster.secrets[secret] : undefined
    if (!declared || secretKind(declared) !== 'static') return { readings: [] }
    const types = Object.keys(cluster.agents).filter((type) => usableSecrets(cluster, type).includes(secret))
    return { readings: await Promise.all(types.map((agentType) => this.#read(agentType, secret))) }
  }

  async #read(agentType: string, secret: string): Promise<Reading> {
    try {
      return { agentType, generation: (await this.#options.reader.read(agentType, secret)).generation }
    } catch (error) {
      return { agentType, error: failureOf(error).type }
    }
  }

  /** Access ends before anything is recorded: that is never what it waits for. */
  async #revoke({ dryRun, ...asked }: z.infer<typeof Revoke>, source: string): Promise<object> {
    const { revocations } = this.#options
    if (!dryRun) return revocations.revoke({ ...asked, source })
    return { attempts: revocations.preview(asked.target), revokedLeases: 0 }
  }

  async #record(act: z.infer<typeof Act>, source: string): Promise<object> {
    await this.#options.audit.record({ ...act, outcome: 'allowed', source })
    return { recorded: true }
  }
}
