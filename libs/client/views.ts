/** How a request ended. */
export type Outcome = 'completed' | 'failed' | 'timed-out' | 'out-of-memory' | 'cancelled' | 'interrupted'

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
  endedAt?: number
  queuedMs?: number
  runMs?: number
  receipt?: Record<string, unknown>
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
  maxConcurrency: number
  slots: number
  workers: number
  active: number
  waiting: number
  spares: number
  level: 'thread' | 'process' | 'namespace' | null
  input: Record<string, unknown> | null
  output: Record<string, unknown> | null
}
