import { Script } from 'node:vm'
import type { AgentCallError, AgentContext, AgentDefinition, BrokerError, Schema } from '#lib/agent'
import type { JsonSchema } from '#lib/wire'
import { jsonSchemaOf } from './json-schema.ts'

/** A bundle's exports: the agent, and the error classes that it knows. */
interface Exports {
  agent: AgentDefinition<Schema<unknown>, Schema<unknown>> & { threadbound?: unknown }
  AgentCallError: typeof AgentCallError
  BrokerError: typeof BrokerError
}

/** Divisible by 3, so that the parts in base64 join without padding between. */
const CACHE_PART_BYTES = 3 * 2 ** 17

/** The agent's module in this context. */
export class Agent {
  readonly #agent: Exports['agent']
  readonly AgentCallError: Exports['AgentCallError']
  readonly BrokerError: Exports['BrokerError']

  readonly #script: Script

  private constructor(script: Script, exports: Exports) {
    this.#script = script
    this.#agent = exports.agent
    this.AgentCallError = exports.AgentCallError
    this.BrokerError = exports.BrokerError
  }

  /** Runs a bundle. Its `require` gives Node's own modules and nothing else. A cache that does not fit is not used. */
  static load({
    code,
    filename,
    cache,
  }: {
    code: string
    filename: string
    cache?: Buffer | undefined
  }): Agent {
    const wrapped = `(function (exports, require, module) {${code}\n})`
    const module = { exports: {} as Exports }
    const run = new Script(wrapped, {
      filename,
      columnOffset: -'(function (exports, require, module) {'.length,
      ...(cache?.length ? { cachedData: cache } : {}),
    })
    const body = run.runInThisContext() as (
      exports: Exports,
      require: (id: string) => unknown,
      module: object,
    ) => void
    body(module.exports, builtin, module)
    const { agent } = module.exports
    if (agent?.threadbound !== 'agent' || typeof agent.run !== 'function')
      throw Object.assign(new Error('the default export is no agent: expected defineAgent({ run })'), {
        type: 'not-an-agent',
      })
    return new Agent(run, module.exports)
  }

  /** The value as the agent's schema makes it. @throws what the schema throws, as `invalid-input` or `invalid-output` */
  parse(side: 'input' | 'output', value: unknown): unknown {
    const schema = this.#agent[side]
    if (!schema) return value
    try {
      return schema.parse(value)
    } catch (error) {
      throw Object.assign(error as Error, { type: `invalid-${side}`, permanent: true })
    }
  }

  async run(input: unknown, ctx: AgentContext): Promise<unknown> {
    return this.#agent.run(input, ctx)
  }

  /** True where V8 did not take the cache that came with the code. */
  get refusedCache(): boolean {
    return this.#script.cachedDataRejected === true
  }

  /** What V8 compiled so far, so that other contexts need not: base64, in parts that fit a frame. */
  *codeCache(): Generator<string> {
    const all = this.#script.createCachedData()
    for (let at = 0; at < all.length; at += CACHE_PART_BYTES)
      yield all.toString('base64', at, at + CACHE_PART_BYTES)
  }

  /** One of the agent's schemas as JSON Schema; null when it has none, or one that cannot say. */
  schema(side: 'input' | 'output'): JsonSchema | null {
    return jsonSchemaOf(this.#agent[side], side)
  }
}
export type LoadedAgent = Agent

function builtin(id: string): unknown {
  const found: unknown = process.getBuiltinModule(id)
  if (found === undefined) throw new Error(`module "${id}" is not in the bundle`)
  return found
}
