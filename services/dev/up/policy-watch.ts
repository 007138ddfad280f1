import type { RaiseAlert } from '#lib/queue'
import { type Clock, slept } from '#lib/runtime'

/** How long a difference must last: policies that are being written, or a Vault that has just started, are no drift. */
const LASTS_MS = 5000

/** One thing that is otherwise than planned. */
export interface PolicyDifference {
  /** Whom it concerns; undefined: the sidecar, or no single agent type. */
  agentType?: string | undefined
  /** For people. */
  text: string
}

export interface PolicyWatchOptions {
  /** Compares Vault with what it shall hold. */
  look: () => Promise<PolicyDifference[]>
  /** Raises an alert of an agent type, or of the sidecar where it concerns no single one. */
  raise: (agentType: string | undefined) => RaiseAlert
  everyMs: number
  clock: Clock
  /** One line for people. */
  say: (line: string) => void
}

/** What differs, by the agent type that it concerns. */
type Drift = Map<string | undefined, string[]>

/**
 * Looks on a schedule whether Vault holds what it shall hold: nobody but us writes under our names, so what differs was
 * changed by hand or is left over. PW1: a difference is told when a second look sees it too, once for as long as it stays.
 * PW2: its end is told. PW3: a Vault that does not answer is no drift, and nothing here throws.
 */
export class PolicyWatch implements AsyncDisposable {
  readonly #options: PolicyWatchOptions
  readonly #stop = new AbortController()
  readonly #watching: Promise<void>
  #told: Drift = new Map()

  private constructor(options: PolicyWatchOptions) {
    this.#options = options
    this.#watching = this.#watch()
  }

  static open(options: PolicyWatchOptions): PolicyWatch {
    return new PolicyWatch(options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watching
  }

  async #watch(): Promise<void> {
    const { everyMs } = this.#options
    while (await this.#pause(everyMs)) {
      const first = await this.#look()
      if (!first || isSame(first, this.#told)) continue
      if (!(await this.#pause(Math.min(LASTS_MS, everyMs)))) return
      const second = await this.#look()
      if (second && isSame(first, second)) await this.#tell(second)
    }
  }

  async #look(): Promise<Drift | undefined> {
    const found = await this.#options.look().catch(() => undefined)
    if (!found) return undefined
    const grouped = Map.groupBy(found, ({ agentType }) => agentType)
    return new Map([...grouped].map(([agentType, all]) => [agentType, all.map(({ text }) => text)]))
  }

  async #tell(drift: Drift): Promise<void> {
    const { raise, say } = this.#options
    for (const [agentType, lines] of drift) {
      if (this.#told.get(agentType)?.join() === lines.join()) continue
      say(`alert policy-drift: ${lines.join('; ')}`)
      await raise(agentType)('policy-drift', 'critical', { changes: lines.join('; ') })
    }
    for (const agentType of this.#told.keys())
      if (!drift.has(agentType)) await raise(agentType)('policy-drift-over', 'info')
    this.#told = drift
  }

  #pause(ms: number): Promise<boolean> {
    return slept(this.#options.clock, ms, this.#stop.signal)
  }
}

function isSame(a: Drift, b: Drift): boolean {
  const text = (drift: Drift) =>
    [...drift]
      .map(([type, lines]) => `${type}: ${lines.join()}`)
      .toSorted()
      .join()
  return text(a) === text(b)
}
