import type { FromContext, RequestInfo, WireSpan } from '#lib/wire'

/** What enters a context: one attempt. */
export interface AttemptInput {
  request: RequestInfo
  input: unknown
  /** W3C, of the attempt's span: spans and broker requests of the context hang below it. */
  traceparent: string
  /** A singleton's memory document. */
  memory?: unknown
}

/** What an attempt says while it runs. A handler that throws is logged and changes nothing. */
export interface AttemptEvents {
  log?(line: Extract<FromContext, { t: 'log' }>): void
  progress?(value: unknown): void
  emit?(value: unknown): void
  span?(span: WireSpan): void
  /** The agent's code begins; worker's clock, ms since the epoch. */
  started?(atMs: number): void
  /** The agent's last word has come, or none will: what the attempt held may be given back while its context is freed. */
  spoken?(): void
  output?(stream: 'stdout' | 'stderr', text: string): void
  /** Answers `ctx.call`; what it throws goes back with its `type` (or name) and message. `spanId` is the context's claim. */
  call?(agentType: string, input: unknown, spanId: string | undefined): Promise<unknown>
}
