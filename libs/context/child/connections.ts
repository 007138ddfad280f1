import type { Agent, AgentOptions } from 'node:http'
import type { BrokerError } from '#lib/agent'
import type { Doors } from './doors.ts'

/**
 * The four connections to the broker. N1: the first is never held, so that small requests always go on. N2: the other
 * three serve small requests as well while no stream or relay wants them. N3: a fourth stream or relay fails at once.
 */

const COUNT = 4
type Use = 'small' | 'held'

/** One connection while a request has it. */
export interface Connection {
  readonly agent: Agent
  /** Gives it back; once. */
  release(): void
  /** It cannot be used again: aborted, or it has become a relay. */
  retire(): void
}

interface Slot {
  at: number
  use: Use | undefined
  dead: boolean
  agent: Agent | undefined
}
interface Waiter {
  use: Use
  resolve(slot: Slot): void
  reject(error: Error): void
}

export class Connections {
  readonly #error: typeof BrokerError
  readonly #doors: Doors
  readonly #slots: Slot[] = Array.from({ length: COUNT }, (_, at) => ({
    at,
    use: undefined,
    dead: false,
    agent: undefined,
  }))
  #waiters: Waiter[] = []

  constructor(error: typeof BrokerError, doors: Doors) {
    this.#error = error
    this.#doors = doors
  }

  /** A connection for a small request, or one to hold. @throws BrokerError `too-many-connections`, `broker-gone` */
  async take(use: Use): Promise<Connection> {
    const slot = await this.#slot(use)
    try {
      return this.#hand(slot)
    } catch {
      slot.dead = true
      slot.use = undefined
      this.#next()
      throw new this.#error('broker-gone', 'this context has no connection to a broker')
    }
  }

  /** True when a stream could have a connection now. */
  get hasRoom(): boolean {
    return this.#slots.slice(1).some((slot) => !slot.dead && slot.use === undefined)
  }

  async #slot(use: Use): Promise<Slot> {
    const usable = this.#usable(use)
    const free = usable.find((slot) => slot.use === undefined)
    if (free) {
      free.use = use
      return free
    }
    this.#refuseHopeless(use, usable)
    const waiter = Promise.withResolvers<Slot>()
    this.#waiters.push({ use, resolve: waiter.resolve, reject: waiter.reject })
    return waiter.promise
  }

  #refuseHopeless(use: Use, usable: Slot[]): void {
    if (usable.length === 0 && this.#slots.every((slot) => slot.dead))
      throw new this.#error('broker-gone', 'no connection to the broker is left')
    if (use === 'held' && usable.every((slot) => slot.use === 'held'))
      throw new this.#error(
        'too-many-connections',
        'at most three streams and database connections are open at once',
      )
  }

  #usable(use: Use): Slot[] {
    return this.#slots.filter((slot, at) => !slot.dead && (use === 'small' || at > 0))
  }

  #hand(slot: Slot): Connection {
    slot.agent ??= this.#open(slot)
    let done = false
    const finish = (dead: boolean) => {
      if (done) return
      done = true
      slot.dead ||= dead
      slot.use = undefined
      this.#next()
    }
    return { agent: slot.agent, release: () => finish(false), retire: () => finish(true) }
  }

  /** Those who hold go first: small requests have a connection of their own. */
  #next(): void {
    const order = [...this.#waiters].toSorted((a, b) => Number(b.use === 'held') - Number(a.use === 'held'))
    for (const waiter of order) {
      const usable = this.#usable(waiter.use)
      const free = usable.find((slot) => slot.use === undefined)
      try {
        if (free) free.use = waiter.use
        else this.#refuseHopeless(waiter.use, usable)
      } catch (error) {
        waiter.reject(error as Error)
        this.#waiters = this.#waiters.filter((one) => one !== waiter)
        continue
      }
      if (!free) continue
      this.#waiters = this.#waiters.filter((one) => one !== waiter)
      waiter.resolve(free)
    }
  }

  #open(slot: Slot): Agent {
    const http = process.getBuiltinModule('node:http')
    const socket = this.#doors.broker(slot.at)
    const error = this.#error
    socket.on('error', () => {})
    socket.once('close', () => (slot.dead = true))
    const options: AgentOptions = { keepAlive: true, maxSockets: 1 }
    const agent = new http.Agent(options)
    agent.createConnection = () => {
      if (slot.dead || socket.destroyed) throw new error('broker-gone', 'the broker closed the connection')
      return socket
    }
    return agent
  }
}
