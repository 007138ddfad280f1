import type { Log } from '#lib/runtime'
import type { JsonSchema } from '#lib/wire'
import type { Bundle } from './bundle.ts'
import type { LauncherLink } from './link.ts'
import type { ContextListener } from './listener.ts'

/** Limits of every context of a pool. Bytes and milliseconds. */
export interface ContextLimits {
  /** What an attempt may add to its empty context. */
  memoryBytes: number
  timeoutMs: number
  /** From the abort until the kill. Default of the pool: 500. */
  graceMs: number
  /** Result, log lines, progress, emitted values, spans and console output of one context together. */
  outputBytes: number
  /** From start until the agent's module is loaded. */
  loadTimeoutMs: number
}

/** What a context is started with. */
export interface ContextOptions {
  launcher: LauncherLink
  listener: ContextListener
  bundle: Bundle
  limits: ContextLimits
  permissions: ('child-process' | 'worker')[]
  log: Log
  /** Shares nothing with another context, as at level thread they do a host. */
  alone?: boolean
}

/** What a context says of its agent. */
export interface Description {
  input: JsonSchema | null
  output: JsonSchema | null
  /** Empty where there is none. */
  codeCache: Buffer
}
