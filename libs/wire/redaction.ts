/**
 * What worker and sidecar say to each other about what agents say, so that no secret value goes where it is kept: frames on
 * a connection with role `redaction`. The worker asks only for attempts whose context was handed a value.
 */

/** Where something that an agent said would go. */
export type Outlet = 'result' | 'error' | 'log' | 'progress' | 'emit' | 'span' | 'call' | 'stdout' | 'stderr'

/** The outlets that are streams: a value may lie across the border of two pieces. */
export type OutputStream = Extract<Outlet, 'stdout' | 'stderr'>

/** Longest frame on such a connection, bytes: what a context may say in one, escaped once more, fits. */
export const REDACTION_FRAME_BYTES = 2 ** 24

/** Worker to sidecar. */
export type ToRedaction =
  /** From here on, nothing that the context of this grant says leaves unasked. */
  | { t: 'ready'; grant: string }
  /** `json`: a value, or for a stream the next piece as a text. `last`: nothing follows on the stream. */
  | { t: 'redact'; id: number; grant: string; outlet: Outlet; json: string; last?: true }
  /** The attempt has said its last. */
  | { t: 'forget'; grant: string }

/** Sidecar to worker. Beside the answers, the one thing that it says by itself. */
export type FromRedaction =
  /** A value is about to be handed to the context of this grant; it is not until the worker is `ready`. */
  | { t: 'handing'; grant: string }
  /** `json`: what may leave; absent: what was asked, as it is. `found`: names of the secrets that were in it. */
  | { t: 'redacted'; id: number; json?: string; found: string[] }
  /** The grant is not known, or not any more: nobody can tell what may leave. */
  | { t: 'refused'; id: number }
  /** An operator has revoked what the attempt of this job holds: it must not go on. */
  | { t: 'revoked'; jobId: string }
