import { type Log, messageOf } from '#lib/runtime'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** A request that is carried on behalf of a running attempt. */
export interface CallOptions {
  agentType: string
  input: unknown
  /** The job that calls: its id and its data, whose signature the producer verifies. */
  parent: { id: string; job: unknown }
  traceparent: string
  /** Aborts when nobody waits for the result any more: the called request is then cancelled. */
  signal: AbortSignal
}

/** The called request did not complete. `type` is its outcome, or the finer type of its failure. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly type: string
  constructor(type: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.type = type
  }
}

/** The producer is away, or says that it cannot serve this now: the same question may be asked again. */
class ProducerAwayError extends CallError {}

/** Where `ctx.call` goes: the producer, which alone signs jobs. Gives the result. @throws CallError */
export type Caller = (options: CallOptions) => Promise<unknown>

export interface CallerOptions {
  url: string
  apiKey: string
  log: Log
  /** How long a producer may be away before a call fails: it is started again meanwhile. Default: 10 s. */
  patienceMs?: number
}

interface View {
  state: string
  outcome?: string
  result?: unknown
  error?: { type: string; message: string }
}

const PAUSE_MS = 250
/** What a producer may take to answer, beyond the wait that it was asked for. */
const ANSWER_MS = 10_000
/** How long a cancel is tried, and how long a worker that ends waits for those under way. */
const CANCEL_MS = 3_000

/**
 * Calls through the producer with the worker's own API key; resolves when the called request has ended.
 * An idempotency key of its own makes a call that is posted again the same request. A call whose signal aborts cancels the
 * request that it made, and with it what that one has called; disposing waits for the cancels under way.
 */
export function openCaller(producer: CallerOptions): Caller & AsyncDisposable {
  const { patienceMs = 10_000, log } = producer
  const cancels = new Set<Promise<unknown>>()
  const cancel = (id: string, { traceparent }: CallOptions) => {
    const ask = patiently(asker(producer, traceparent), CANCEL_MS)
    const done: Promise<unknown> = ask({ method: 'DELETE', path: pathOf(id) })
      .catch((error) => log.warn({ called: id, error: messageOf(error) }, 'call not cancelled'))
      .finally(() => cancels.delete(done))
    cancels.add(done)
  }
  const call: Caller = async (options) => {
    const { agentType: agent, input, parent, traceparent, signal } = options
    if (signal.aborted) throw over()
    const ask = patiently(asker(producer, traceparent), patienceMs, signal)
    const body = { agent, input, parent, idempotencyKey: randomUUID() }
    const { id } = (await ask({ method: 'POST', path: '/v1/requests', body })) as { id: string }
    const view = await ended(ask, id, signal).catch((error) => {
      if (!signal.aborted) throw error
      cancel(id, options)
      throw over()
    })
    return resultOf(view)
  }
  return Object.assign(call, {
    async [Symbol.asyncDispose]() {
      await Promise.race([Promise.all(cancels), delay(CANCEL_MS, undefined, { ref: false })])
    },
  })
}

const over = () => new CallError('cancelled', 'the attempt that called is over')

/** For a worker that was given no producer. */
export const noCaller: Caller = async () => {
  throw new CallError('call-failed', 'this worker has no producer to call')
}

interface Question {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  body?: object
  /** Cuts the question short. Of a POST it would leave a request whose id nobody knows, so there it is not given. */
  signal?: AbortSignal
}
type Ask = (question: Question) => Promise<unknown>

function patiently(ask: Ask, patienceMs: number, signal?: AbortSignal): Ask {
  return async (question) => {
    for (const until = performance.now() + patienceMs; ;) {
      try {
        return await ask(question)
      } catch (error) {
        const isLate = performance.now() + PAUSE_MS > until
        if (!(error instanceof ProducerAwayError) || isLate || signal?.aborted) throw error
        await delay(PAUSE_MS, undefined, signal ? { signal } : {}).catch(() => {})
      }
    }
  }
}

function asker({ url, apiKey }: CallerOptions, traceparent: string): Ask {
  return async ({ method, path, body, signal = AbortSignal.timeout(ANSWER_MS) }) => {
    const answer = await fetch(new URL(path, url), {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        traceparent,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      redirect: 'error',
    }).catch(away)
    const value = (await answer.json().catch(away)) as { detail?: string; title?: string } | null
    if (answer.ok) return value
    const why = value?.detail ?? value?.title ?? `the producer answered ${answer.status}`
    throw answer.status === 503
      ? new ProducerAwayError('call-failed', why)
      : new CallError('call-refused', why)
  }
}

function away(cause: Error): never {
  const why = messageOf(cause.cause ?? cause)
  throw new ProducerAwayError('call-failed', `the producer cannot be reached: ${why}`, { cause })
}

const pathOf = (id: string) => `/v1/requests/${encodeURIComponent(id)}`

async function ended(ask: Ask, id: string, signal: AbortSignal): Promise<View> {
  for (;;) {
    const view = (await ask({ method: 'GET', path: `${pathOf(id)}?wait=30s`, signal })) as View
    if (view.state === 'ended') return view
  }
}

function resultOf({ outcome, result, error }: View): unknown {
  if (outcome === 'completed') return result
  const type = (outcome === 'failed' ? error?.type : outcome) ?? 'failed'
  throw new CallError(type, error?.message ?? `the called request ended ${type}`)
}
