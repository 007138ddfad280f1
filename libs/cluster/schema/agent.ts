import * as z from 'zod'
import { BUILT_IN } from '../builtin.ts'
import { optional } from './field.ts'
import { duration, flag, integer, name, oneOf, size, text } from './scalars.ts'

const isolation = optional(oneOf(['namespace', 'process', 'thread']), {
  type: 'namespace, process, thread',
  default: BUILT_IN.isolation,
  meaning: 'How strong a context is; never silently weaker',
})
const timeout = optional(duration('100ms', '7d'), {
  type: 'duration',
  default: BUILT_IN.timeout,
  meaning: 'An attempt is killed after this time',
})
const memoryLimit = optional(size('8MB', '1000GB'), {
  type: 'size',
  default: BUILT_IN.memoryLimit,
  meaning: 'What an attempt may add to its empty context',
})
const attempts = optional(integer(1, 100), {
  type: 'number',
  default: String(BUILT_IN.attempts),
  meaning: 'How often a request is attempted before it fails',
})
const maxAge = optional(duration('1s', '365d'), {
  type: 'duration',
  default: BUILT_IN.maxAge,
  meaning: "How long anything of a request, or a singleton's memory, is kept",
})
const memory = optional(z.strictObject({ 'max-age': maxAge }), {
  type: 'mapping',
  meaning: 'What is kept after a request has ended',
})
const maxConcurrency = optional(integer(1, 100_000), {
  type: 'number',
  default: String(BUILT_IN.maxConcurrency),
  meaning: 'Attempts at once in the whole cluster; not for singletons, which have 1',
})
const model = text('the name of a model', 200)

/** `defaults`: what holds for every agent type. */
export const DefaultKeys = z.strictObject({
  isolation,
  timeout,
  'memory-limit': memoryLimit,
  attempts,
  memory,
})

/** `thread-bound-agents`: what holds for thread-bound agent types. */
export const ThreadBoundKeys = DefaultKeys.extend({ 'max-concurrency': maxConcurrency })

/** One entry of `agents`. */
export const AgentKeys = z.strictObject({
  type: optional(oneOf(['thread-bound', 'singleton']), {
    type: 'thread-bound, singleton',
    default: BUILT_IN.type,
    meaning: '`singleton`: one attempt at a time in the whole cluster, with a memory',
  }),
  model: optional(model, { type: 'text', meaning: 'The model of `ctx.model`; needed without a handler' }),
  handler: optional(text('the path of a .ts, .mts, .js or .mjs file'), {
    type: 'path',
    default: 'the built-in prompt agent',
    meaning: "The agent's code, inside the folder of this file",
  }),
  system: optional(text('an instruction', 20_000), {
    type: 'text',
    meaning: 'The instruction of the built-in prompt agent; not with a handler',
  }),
  isolation,
  'max-concurrency': maxConcurrency,
  'memory-limit': memoryLimit,
  timeout,
  attempts,
  memory,
  secrets: optional(z.array(name()), {
    type: 'list of secrets',
    default: '[]',
    meaning: "Secrets that it may use, beside its model's",
  }),
  'may-call': optional(z.array(name()), {
    type: 'list of agent types',
    default: '[]',
    meaning: 'Agent types that it may call with `ctx.call`; no cycles',
  }),
  permissions: optional(z.array(oneOf(['child-process', 'worker'])), {
    type: 'list of child-process, worker',
    default: '[]',
    meaning: 'What its code may start inside its context',
  }),
  'accept-unsigned': optional(flag(), {
    type: 'true, false',
    default: 'false',
    meaning: 'Plain BullMQ producers may enqueue',
  }),
  'trusted-code': optional(flag(), {
    type: 'true, false',
    default: 'false',
    meaning: 'Its code is trusted: needed at level thread with secrets, a model or may-call',
  }),
})
