import type { OperatorAccess } from '#lib/http'
import * as z from 'zod'
import { OperatorSocket, operatorName } from '../operator-socket.ts'

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
  /** Whether the other sidecars of the cluster know. */
  isTold: z.boolean().default(true),
})

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

/** The sidecar of a running cluster, as an operator's command speaks to it. All methods throw CommandError. */
export class SidecarOperator {
  readonly #socket: OperatorSocket

  constructor(access: OperatorAccess) {
    this.#socket = new OperatorSocket('sidecar', access)
  }

  /** Has it forget what it knows of a secret, and read it anew for each agent type that may use it. */
  async refresh(secret: string): Promise<Reading[]> {
    const asked = await this.#socket.ask('POST', '/v1/refresh', { secret, operator: operatorName() })
    return Refreshed.parse(asked).readings
  }

  /** What it keeps of each secret. */
  async cache(): Promise<Record<string, Cached[]>> {
    return Cached.parse(await this.#socket.ask('GET', '/v1/cache'))
  }

  /** Puts an act on record: when this resolves, it is in the audit log. */
  async record(act: Act): Promise<void> {
    Recorded.parse(await this.#socket.ask('POST', '/v1/acts', { ...act, operator: operatorName() }))
  }

  /** Ends what is held of a secret (up to a generation), by an agent type, or in a trace. `dryRun`: says only by whom. */
  async revoke(
    target: { secret: string; generation?: number | undefined } | { agentType: string } | { trace: string },
    { keepRunning, dryRun = false }: { keepRunning: boolean; dryRun?: boolean },
  ): Promise<Revoked> {
    const body = { target, operator: operatorName(), keepRunning, dryRun }
    return Revoked.parse(await this.#socket.ask('POST', '/v1/revocations', body))
  }
}
