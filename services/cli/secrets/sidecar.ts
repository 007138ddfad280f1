import { request } from 'node:http'
import { userInfo } from 'node:os'
import { json } from 'node:stream/consumers'
import { messageOf } from '#lib/runtime'
import * as z from 'zod'
import { CommandError } from '../errors.ts'
import { readKey } from '../target.ts'
import type { OperatorAccess } from '../vault-target.ts'

const Refreshed = z.object({
  readings: z.array(
    z.object({ agentType: z.string(), generation: z.number().optional(), error: z.string().optional() }),
  ),
})
const Cached = z.record(
  z.string(),
  z.array(
    z.object({
      agentType: z.string(),
      state: z.string(),
      generation: z.number().optional(),
      freshForMs: z.number(),
    }),
  ),
)
const Recorded = z.object({ recorded: z.literal(true) })
const Revoked = z.object({
  attempts: z.array(
    z.object({
      agentType: z.string(),
      requestId: z.string(),
      attempt: z.number(),
      traceId: z.string().optional(),
      secrets: z.array(z.string()),
    }),
  ),
  revokedLeases: z.number(),
})
const Refusal = z.object({ error: z.object({ message: z.string() }) })

/** What each agent type reads of a secret now. */
export type Reading = z.infer<typeof Refreshed>['readings'][number]
/** What the sidecar keeps of a secret for an agent type. */
export type Cached = z.infer<typeof Cached>[string][number]

/** What a revocation concerned, and how many leases it ended. */
export type Revoked = z.infer<typeof Revoked>
/** A running attempt that it concerned. */
export type Hit = Revoked['attempts'][number]

/** Something that an operator did with a secret. */
export interface Act {
  action: 'reveal' | 'create' | 'delete'
  secret: string
  generation: number
  /** Of the answer of Vault's that the command has acted upon. */
  vaultRequest?: string | undefined
}

/** Long enough for a Vault that is slow, short enough for someone who waits. */
const TIMEOUT_MS = 15_000

/** The sidecar of a running cluster, as an operator's command speaks to it. All methods throw CommandError. */
export class SidecarOperator {
  readonly #access: OperatorAccess

  constructor(access: OperatorAccess) {
    this.#access = access
  }

  /** Has it forget what it knows of a secret, and read it anew for each agent type that may use it. */
  async refresh(secret: string): Promise<Reading[]> {
    const asked = await this.#ask('POST', '/v1/refresh', { secret, operator: operatorName() })
    return Refreshed.parse(asked).readings
  }

  /** What it keeps of each secret. */
  async cache(): Promise<Record<string, Cached[]>> {
    return Cached.parse(await this.#ask('GET', '/v1/cache'))
  }

  /** Puts an act on record: when this resolves, it is in the audit log. */
  async record(act: Act): Promise<void> {
    Recorded.parse(await this.#ask('POST', '/v1/acts', { ...act, operator: operatorName() }))
  }

  /** Ends what is held of a secret (up to a generation), by an agent type, or in a trace. `dryRun`: says only by whom. */
  async revoke(
    target: { secret: string; generation?: number | undefined } | { agentType: string } | { trace: string },
    { keepRunning, dryRun = false }: { keepRunning: boolean; dryRun?: boolean },
  ): Promise<Revoked> {
    const body = { target, operator: operatorName(), keepRunning, dryRun }
    return Revoked.parse(await this.#ask('POST', '/v1/revocations', body))
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
    const { socket: socketPath, credentialFile } = this.#access
    const headers = { authorization: `Bearer ${readKey(credentialFile)}` }
    const answer = await new Promise<{ status: number; body: unknown }>((resolve, reject) => {
      const sent = request({ socketPath, method, path, headers, timeout: TIMEOUT_MS }, (response) => {
        json(response).then((parsed) => resolve({ status: response.statusCode ?? 0, body: parsed }), reject)
      })
      sent.once('error', reject).once('timeout', () => sent.destroy(new Error('it does not answer')))
      sent.end(body && JSON.stringify(body))
    }).catch((cause: unknown) => {
      throw new CommandError(`the sidecar cannot be asked: ${messageOf(cause)}`, { cause })
    })
    if (answer.status === 200) return answer.body
    const why = Refusal.safeParse(answer.body).data?.error.message ?? `it answered ${answer.status}`
    throw new CommandError(`the sidecar refuses: ${why}`)
  }
}

/** Who types: the user behind sudo where there is one. For the record; nothing is decided by it. */
export const operatorName = () => (process.env['SUDO_USER'] || userInfo().username).slice(0, 100)
