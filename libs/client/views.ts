/** How a request ended. */
export type Outcome = 'completed' | 'failed' | 'timed-out' | 'out-of-memory' | 'cancelled' | 'interrupted'

/** How strong a context is. */
export type Level = 'thread' | 'process' | 'namespace'

/** What launcher, kernel and worker measured of the context in which an attempt ran; it says more than is named here. */
export interface Receipt {
  /** The context's id. */
  context: string
  level: Level
  /** Attempts that were in this context before: 0. */
  reuse: number
  pid: number
  /** Highest memory charged above the empty context, bytes; null where the kernel does not tell. */
  peakBytes: number | null
  /** `released`, `timeout`, `out-of-memory`, … */
  endedBy: string
  [fact: string]: unknown
}

/** What the producer says of a request. Times are milliseconds since the epoch. */
export interface RequestView<Result = unknown> {
  id: string
  agent: string
  state: 'waiting' | 'running' | 'ended'
  outcome?: Outcome
  result?: Result
  error?: { type: string; message: string }
  attempts: number
  traceId?: string
  enqueuedAt: number
  /** When it was cancelled: it ends `cancelled`, unless an attempt that was running then completes first. */
  cancelledAt?: number
  endedAt?: number
  queuedMs?: number
  runMs?: number
  /** Of the last attempt; absent when it had no context. */
  receipt?: Receipt
  attemptRecords: Record<string, unknown>[]
  metadata: Record<string, string>
}

/** The producer's word that it has a request. */
export interface Accepted {
  id: string
  traceId: string
  /** Path of the request at the producer. */
  url: string
}

/** What the producer says of an agent type. */
export interface AgentView {
  name: string
  type: 'thread-bound' | 'singleton'
  model: string | null
  /** Attempts at once in the whole cluster. */
  maxConcurrency: number
  /** Of all living workers, like `workers` and `spares`. */
  slots: number
  workers: number
  active: number
  waiting: number
  spares: number
  /** Why its queue gives no job to any worker; null when it does. Requests are accepted all the same. */
  paused: { reason: string; message?: string; at?: number } | null
  /** What its worker runs at; null before one was ready. */
  level: Level | null
  /** JSON Schemas; null: any JSON, or not known yet. */
  input: Record<string, unknown> | null
  output: Record<string, unknown> | null
}
