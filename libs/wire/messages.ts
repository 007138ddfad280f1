/** What context and worker (descriptor 3), and worker and launcher, say to each other. Types alone: a context loads them for nothing. */
import type { EndedBy, HeldLimits, Level, Receipt } from './receipt.ts'

/** A JSON Schema 2020-12, as zod emits it. */
export type JsonSchema = Record<string, unknown>

/** The outcome of an attempt, or of a request. */
export type Outcome = 'completed' | 'failed' | 'timed-out' | 'out-of-memory' | 'cancelled' | 'interrupted'

/** An error as it travels: `type` is stable and for programs, `message` for people. */
export interface WireError {
  type: string
  message: string
  stack?: string
}

/** What agent code sees as `ctx.request`. */
export interface RequestInfo {
  id: string
  /** From 1. */
  attempt: number
  agentType: string
  tenant: string
  metadata: Record<string, string>
}

/** Worker to context. */
export type ToContext =
  /** Comes after the code and V8's cache of it, each as a frame of bytes; the cache may be empty. */
  | { t: 'load'; filename: string }
  | { t: 'describe' }
  | { t: 'run'; request: RequestInfo; input: unknown; traceparent: string; memory?: unknown }
  | { t: 'abort'; reason: string }
  | { t: 'reply'; id: number; ok: true; value: unknown }
  | { t: 'reply'; id: number; ok: false; error: WireError }

/** A finished span of a context. Times are milliseconds since the epoch, with fractions. */
export interface WireSpan {
  name: string
  spanId: string
  parentSpanId: string
  startMs: number
  endMs: number
  attributes: Record<string, string | number | boolean>
  error?: string
}

/** Context to worker. */
export type FromContext =
  | { t: 'hello' }
  | { t: 'loaded' }
  | { t: 'load-failed'; error: WireError }
  /** Base64 of a part of V8's cache of the agent's code, before `described`. */
  | { t: 'code-cache'; part: string }
  | { t: 'described'; input: JsonSchema | null; output: JsonSchema | null }
  | { t: 'started'; atMs: number }
  | {
      t: 'log'
      level: 'debug' | 'info' | 'warn' | 'error'
      message: string
      fields: Record<string, unknown>
      atMs: number
    }
  | { t: 'progress'; value: unknown }
  | { t: 'emit'; value: unknown }
  | { t: 'span'; span: WireSpan }
  /** `spanId`: the span that calls, by the context's own word. */
  | { t: 'call'; id: number; agentType: string; input: unknown; spanId?: string }
  | { t: 'result'; value: unknown; memory?: unknown }
  | { t: 'failed'; error: WireError; permanent?: boolean }

/** Limits that hold from a context's first instruction. */
export interface LoadLimits {
  /** JS heap, MiB. */
  heapMiB: number
  /** Bytes of console output that are passed on; the worker counts them with everything else. */
  outputBytes: number
  childProcess: boolean
  worker: boolean
}

/**
 * The first frame to a launcher, from the process that starts it and before that gives up its rights.
 * It is taken once; nothing that comes later can change it.
 */
export interface LauncherConfig {
  t: 'config'
  level: Level
  /** Who a thread host runs as, where the launcher is root: the worker's uid and gid. Absent: as the launcher. */
  hostUid?: number
  hostGid?: number
  /** The worker's unix socket, where a context's descriptor 3 is connected. */
  contextSocket: string
  /** The sidecar's unix socket for this agent type; absent: descriptors 4-7 are /dev/null. */
  brokerSocket?: string
  /** JavaScript that every context starts with, on its stdin. */
  entry: string
  /** Silence of the worker after which it counts as frozen and every attempt is ended, ms. */
  aliveTimeoutMs: number
  /** Level thread: how threads are hosted. */
  threads?: ThreadsConfig
  /**
   * Contexts start without Node's permission model, so that the kernel's walls can be tried alone. For verification and
   * benchmarks: the launcher says so on stderr and on every receipt, and refuses it beside a `brokerSocket`.
   */
  permissionModel?: false
}

/** What a launcher must know at level thread. */
export interface ThreadsConfig {
  /** JavaScript of the thread host, on its stdin. */
  hostEntry: string
  /** Contexts alive at once at most: the host's memory is sized for them. */
  maxContexts: number
}

/** First line on a context's descriptor 3, JSON and a newline, written by the launcher before the context starts. */
export interface ContextPreamble {
  context: string
}

/** Worker to launcher. The launcher takes no path and no argument list from a worker. */
export type ToLauncher =
  /** `alone`: at level thread in a host of its own, so that what it does to it is known to be its doing. */
  | { t: 'start'; context: string; limits: LoadLimits; alone?: true }
  | { t: 'acquire'; context: string; memoryBytes: number; timeoutMs: number; graceMs: number }
  | { t: 'end'; context: string; by: EndedBy }
  | { t: 'alive' }

/** Launcher to worker. */
export type FromLauncher =
  | { t: 'open'; level: Level; held: HeldLimits }
  | { t: 'refused'; message: string }
  | { t: 'started'; context: string; pid: number; uid: number }
  | { t: 'start-failed'; context: string; message: string }
  | { t: 'acquired'; context: string; reuse: number }
  | { t: 'output'; context: string; stream: 'stdout' | 'stderr'; text: string }
  | { t: 'ended'; context: string; receipt: Receipt }
