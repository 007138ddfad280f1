/** The body of every error: RFC 9457. `type` is stable and for programs, `field` is the place in what was sent. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  field?: string
}

const TITLES = {
  'malformed-json': [400, 'The body is no JSON'],
  'invalid-request': [400, 'The request is not valid'],
  'invalid-input': [400, "The input does not fit the agent's schema"],
  unauthorized: [401, 'An API key is needed'],
  forbidden: [403, 'The API key has no right to this'],
  'unknown-agent': [404, 'There is no such agent'],
  'not-found': [404, 'Not found'],
  'idempotency-conflict': [409, 'The idempotency key was used for another input'],
  'too-large': [413, 'The request is too large'],
  'unsupported-media-type': [415, 'The body must be application/json'],
  internal: [500, 'The producer failed'],
  'not-ready': [503, 'The agent is not ready'],
  'queue-unavailable': [503, 'The queue is not available'],
} as const satisfies Record<string, readonly [number, string]>
export type ProblemType = keyof typeof TITLES

/** An error that a caller is told as it is. `retryAfterS` becomes the header of that name. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly type: ProblemType
  readonly field: string | undefined
  readonly retryAfterS: number | undefined
  constructor(type: ProblemType, detail: string, more: { field?: string; retryAfterS?: number } = {}) {
    super(detail)
    this.type = type
    this.field = more.field
    this.retryAfterS = more.retryAfterS
  }
  get status(): number {
    return TITLES[this.type][0]
  }
  toProblem(): Problem {
    const [status, title] = TITLES[this.type]
    const field = this.field === undefined ? {} : { field: this.field }
    return { type: this.type, title, status, detail: this.message, ...field }
  }
}
