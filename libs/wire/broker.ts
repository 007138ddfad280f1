import type { JsonSchema } from './messages.ts'

/** What a context asks of the broker: HTTP/1.1 on descriptors 4-7. */

/** How many connections to its sidecar a context has, all made before it can be asked to do anything. */
export const BROKER_CONNECTIONS = 4

/**
 * The first line on every connection to a sidecar socket, JSON and a newline, written by the launcher (for a context,
 * before it starts) or by the worker. The sidecar answers nothing to it.
 */
export type Preamble =
  | { role: 'context'; context: string }
  | { role: 'worker'; credential: string }
  /** Frames follow, as redaction.ts describes them. `link`: a name of the worker's choice, which its grants repeat. */
  | { role: 'redaction'; credential: string; link: string }

/** `POST /v1/model/generate`, and `/v1/model/stream` with the same body. */
export interface GenerateRequest {
  /** Default: the model of the agent type. Another model must be served by a secret that the type may use. */
  model?: string
  system?: string
  prompt?: string
  messages?: ModelMessage[]
  maxTokens?: number
  temperature?: number
  /** What the model may ask its caller to do; the caller does it. */
  tools?: { name: string; description?: string; input: JsonSchema }[]
  /** Default: `auto`. */
  toolChoice?: ToolChoice
  /** What the answer must look like: it is then JSON, parsed as `output`. */
  output?: JsonSchema
}
/** One turn of a conversation. A call of a tool is answered by a `tool` message with its id. */
export type ModelMessage =
  | { role: 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; toolCallId: string; name: string; content: unknown }
/** What a model asks its caller to do. Its input is what the model made of the tool's schema: judge it. */
export interface ToolCall {
  id: string
  name: string
  input: unknown
}
export type ToolChoice = 'auto' | 'none' | 'required' | { tool: string }
/** What a model answered; `finishReason` and the counts are the provider's. */
export interface GenerateResult {
  text: string
  /** Present where `output` was asked for and the model did not call a tool instead. */
  output?: unknown
  toolCalls: ToolCall[]
  model: string
  finishReason: string
  usage: { inputTokens: number; outputTokens: number }
}
/** `/v1/model/stream` answers application/x-ndjson: deltas, then one end or error. */
export type StreamLine =
  | { delta: string }
  | { end: GenerateResult }
  | { error: { type: string; message: string } }

/**
 * `ctx.fetch`: any method on `/v1/fetch`, the address in `x-tb-url`; body, status and headers pass through. An answer that
 * is the broker's own refusal, not the service's, carries {@link BROKER_ERROR_HEADER}.
 * `GET /v1/secrets/<name>` gives a SecretValue (only `deliver: value`).
 * `POST /v1/leases {"name"}` gives a LeaseResult.
 * `CONNECT <secret name>:0` becomes a byte relay to that secret's database, after a lease.
 * Errors are `{error: {type, message}}` with status 400, 403, 404, 409, 429, 502, 503 or 504.
 */
export const BROKER_ERROR_HEADER = 'x-tb-error'
/** A value that may enter the context; `generation` is its KV version. */
export interface SecretValue {
  name: string
  value: string
  generation: number
}
/** A database user, and how long it lives from now. */
export interface LeaseResult {
  name: string
  credentials: { user: string; password: string; database: string }
  ttlMs: number
}

/**
 * Worker to sidecar, on a connection with role `worker`: `POST /v1/grants` gives 201 `{grant}`. It may overtake the first
 * lines of the context's connections: the sidecar waits 2 s for the last of them.
 */
export interface GrantRequest {
  /** The context whose connections get the grant. */
  context: string
  jobId: string
  /** From 1: BullMQ's attemptsStarted. */
  attempt: number
  lockToken: string
  /** The job's data as it lies in the queue; the sidecar verifies its signature itself. */
  job: unknown
  /** W3C traceparent of the attempt's span. */
  traceparent: string
  timeoutMs: number
  /** The worker's connection for redaction. Without one no value is handed to the context. */
  redaction?: string
}
/** `DELETE /v1/grants/<grant>` answers 200 with this once everything leased is revoked. */
export interface GrantEnd {
  revokedLeases: number
  /** The answer could not wait for Vault: revocation goes on without it. */
  pending?: true
}
