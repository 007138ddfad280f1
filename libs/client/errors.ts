import type { RequestView } from './views.ts'

/**
 * The producer refused or could not be reached. `status` is the HTTP status, 0 when there was no answer; `type` is
 * stable (`invalid-input`, `unauthorized`, `not-ready`, …; `network`, `timeout`); `field` is the place in what was sent.
 */
export class ThreadboundError extends Error {
  override readonly name: string = 'ThreadboundError'
  readonly status: number
  readonly type: string
  readonly field: string | undefined
  constructor(
    facts: { status: number; type: string; message: string; field?: string | undefined },
    options?: ErrorOptions,
  ) {
    super(facts.message, options)
    this.status = facts.status
    this.type = facts.type
    this.field = facts.field
  }
}

/** A request ended in another way than `completed`. `type` is the type of its failure. */
export class RequestFailedError extends ThreadboundError {
  override readonly name = 'RequestFailedError'
  readonly request: RequestView
  constructor(request: RequestView) {
    const { type = request.outcome ?? 'failed', message = '' } = request.error ?? {}
    super({ status: 200, type, message: `request ${request.id} ${request.outcome}: ${message}` })
    this.request = request
  }
}
