import { expect } from 'vitest'
import { until } from './tiny-service.ts'
import { openProducer, type WorldProducer } from './world-producer.ts'
import { type WorkerProcess, WorkerWorld } from './worker-world.ts'

/** Short, so that a job of a killed worker is taken again within seconds. */
export const FAST = { lockMs: 2000 }
/** A request is cancelled within 1 s: at five times the slack, as others work on this machine. */
export const SLACK_MS = 5 * 1000
/** What a caller reads of a request that was cancelled. */
export const CANCELLED = { state: 'ended', outcome: 'cancelled', error: { type: 'cancelled' } }

/** How an attempt goes on once it has passed its gate. */
export type How = 'obeys' | 'ignores' | 'spins' | 'throws'

/** A world of workers with a real producer in front, whose gates tell that an attempt runs. */
export class CancelWorld implements AsyncDisposable {
  readonly workers: WorkerWorld
  readonly producer: WorldProducer
  readonly #spawned: WorkerProcess[] = []
  #gates = 0

  private constructor(workers: WorkerWorld, producer: WorldProducer) {
    this.workers = workers
    this.producer = producer
  }

  static async open(): Promise<CancelWorld> {
    const workers = await WorkerWorld.open()
    return new CancelWorld(workers, await openProducer(workers))
  }

  async spawnWorker(agentType = 'held', more: object = FAST): Promise<WorkerProcess> {
    const worker = await this.workers.spawnWorker(agentType, more)
    this.#spawned.push(worker)
    return worker
  }

  /** Kills the workers of a test. */
  async killWorkers(): Promise<void> {
    for (const worker of this.#spawned.splice(0)) await worker[Symbol.asyncDispose]()
  }

  /** A gate that nobody has come to. */
  newGate(): string {
    return `gate ${++this.#gates}`
  }

  /** How many attempts have come to a gate. */
  times(gate: string): number {
    return this.workers.gates.at(gate).length
  }

  /** A request whose attempt has passed its gate and does as it was told; one that spins says no more. */
  async running(how: How): Promise<{ id: string; gate: string }> {
    const gate = this.newGate()
    this.workers.gates.pass(gate)
    const id = await this.workers.add('held', { gate, how })
    await this.workers.gates.arrived(gate)
    await using queue = this.workers.queue('held')
    const progress = async () => (await queue.queue.getJob(id))!.progress
    if (how === 'obeys' || how === 'ignores') await expect.poll(progress).toBe('held')
    return { id, gate }
  }

  /** A gated request that calls `other`, whose attempt waits at a gate: both are running. */
  async calling(more: object = {}) {
    const gate = this.newGate()
    const caller = await this.spawnWorker('gated', { ...FAST, producerUrl: this.producer.url, drainMs: 200 })
    await this.spawnWorker('other')
    const id = await this.workers.add('gated', { gate, ...more })
    await this.workers.gates.arrived(gate)
    const [called] = this.workers.gates.at(gate)
    return { id, caller, child: called!.parent.id, cancelled: () => this.#cancelled(gate) }
  }

  /** Well before the timeout of the caller, 20 s, which would cancel the call, too. */
  #cancelled(gate: string): Promise<void> {
    return until(`the call at ${gate} cancelled`, () => this.workers.gates.cancelled.includes(gate), 15_000)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.producer[Symbol.asyncDispose]()
    await this.workers[Symbol.asyncDispose]()
  }
}
