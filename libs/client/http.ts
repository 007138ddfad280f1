import { ThreadboundError } from './errors.ts'

/** One call of the producer. */
export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: unknown
  /** True when making the call twice does what once does. */
  isRepeatable: boolean
  signal?: AbortSignal | undefined
  /** Attempts end here: `performance.now()`. */
  until?: number
  /** How long the producer is asked to wait before it answers. */
  waitMs?: number
}

export interface Caller {
  url: string
  apiKey: string
  fetch: typeof fetch
}

const ATTEMPTS = 5
/** What an answer may take beyond the wait that was asked for. */
const ANSWER_MS = 10_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/** Makes a call, again after a network error or a 503, where that is safe. @throws ThreadboundError */
export async function call<T>(caller: Caller, request: Call): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await callOnce<T>(caller, request)
    } catch (error) {
      if (!isWorthAnother(error, request) || attempt >= ATTEMPTS) throw error
      const asked = error instanceof RetryLater ? error.afterMs : 0
      await pause(Math.min(LONGEST_PAUSE_MS, Math.max(asked, FIRST_PAUSE_MS * 2 ** attempt)), request.signal)
    }
  }
}

/** A 503 with the pause that the producer asked for. */
class RetryLater extends ThreadboundError {
  readonly afterMs: number
  constructor(facts: ConstructorParameters<typeof ThreadboundError>[0], afterMs: number) {
    super(facts)
    this.afterMs = afterMs
  }
}

async function callOnce<T>({ url, apiKey, fetch }: Caller, request: Call): Promise<T> {
  const { method, path, body, signal, waitMs = 0 } = request
  const late = AbortSignal.timeout(waitMs + ANSWER_MS)
  let response: Response
  let answer: unknown
  try {
    response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, late]) : late,
    })
    answer = JSON.parse(await response.text())
  } catch (cause) {
    if (signal?.aborted) throw signal.reason
    const { message } = ((cause as Error).cause ?? cause) as Error
    const facts = { status: 0, type: 'network', message: `no answer from ${url}: ${message}` }
    throw new ThreadboundError(facts, { cause })
  }
  if (response.ok) return answer as T
  throw refusal(response, answer)
}

function refusal(response: Response, answer: unknown): ThreadboundError {
  const problem = (answer ?? {}) as { type?: string; detail?: string; field?: string }
  const { type = 'unknown', detail = `status ${response.status}`, field } = problem
  const facts = { status: response.status, type, message: detail, field }
  if (response.status !== 503) return new ThreadboundError(facts)
  return new RetryLater(facts, Number(response.headers.get('retry-after') ?? 0) * 1000)
}

/** A 503 says that nothing was done: it may be made again always. */
function isWorthAnother(error: unknown, { isRepeatable, until = Infinity }: Call): boolean {
  if (!(error instanceof ThreadboundError) || performance.now() >= until) return false
  return error instanceof RetryLater || (error.type === 'network' && isRepeatable)
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error)
    const abort = () => {
      clearTimeout(timer)
      reject(signal!.reason as Error)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
