import type { AgentCallError } from '#lib/agent'
import type { ToContext } from '#lib/wire'
import type { Port } from './port.ts'

/** `ctx.call`: questions to the worker and their answers. */
export class Calls {
  readonly #port: Port
  readonly #spanId: () => string
  readonly #error: typeof AgentCallError
  readonly #open = new Map<number, PromiseWithResolvers<unknown>>()
  #next = 0

  constructor(port: Port, error: typeof AgentCallError, spanId: () => string) {
    this.#port = port
    this.#spanId = spanId
    this.#error = error
  }

  async call(agentType: string, input: unknown): Promise<unknown> {
    const id = this.#next++
    const answer = Promise.withResolvers<unknown>()
    this.#port.send({ t: 'call', id, agentType, input: input ?? null, spanId: this.#spanId() })
    this.#open.set(id, answer)
    return answer.promise
  }

  reply(message: Extract<ToContext, { t: 'reply' }>): void {
    const answer = this.#open.get(message.id)
    this.#open.delete(message.id)
    if (message.ok) answer?.resolve(message.value)
    else answer?.reject(new this.#error(message.error.type, message.error.message))
  }
}
