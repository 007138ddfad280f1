import type { AgentContext } from './context.ts'

/** A schema as agent code writes it: anything with zod 4's `parse` (zod, zod/mini). */
export interface Schema<T> {
  parse(value: unknown): T
}
type Output<S, Otherwise> = S extends Schema<infer T> ? T : Otherwise

/** What an agent is made of. */
export interface AgentDefinition<I, O> {
  /** What the agent accepts; a request that does not fit is refused before it is queued. Default: any JSON. */
  input?: I
  /** What the agent promises; a result that does not fit fails the attempt with type `invalid-output`. Default: any JSON. */
  output?: O
  /** One attempt. Runs in a fresh context that ends after it. */
  run(input: Output<I, unknown>, ctx: AgentContext): Promise<Output<O, unknown>> | Output<O, unknown>
}

/** Marks an agent file's default export as an agent, and types `run` by its schemas. */
export function defineAgent<I extends Schema<unknown> | undefined, O extends Schema<unknown> | undefined>(
  definition: AgentDefinition<I, O>,
): AgentDefinition<I, O> & { readonly threadbound: 'agent' } {
  return Object.assign(definition, { threadbound: 'agent' as const })
}
