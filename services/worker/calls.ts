import { messageOf } from '#lib/runtime'
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/** A request that is carried on behalf of a running attempt. */
export interface CallOptions {
  agentType: string
  input: unknown
  /** The job that calls: its id and its data, whose signature the producer verifies. */
  parent: { id: string; job: unknown }
  traceparent: string
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

/**
 * Calls through the producer with the worker's own API key; resolves when the called request has ended.
 * An idempotency key of its own makes a call that is posted again the same request.
 */
export function openCaller({ url, apiKey, patienceMs = 10_000 }: CallerOptions): Caller {
  return async (options) => {
    const ask = patiently(asker(url, apiKey, options), patienceMs, options.signal)
    const { agentType: agent, input, parent } = options
    const accepted = (await ask('/v1/requests', {
      agent,
      input,
      parent,
      idempotencyKey: randomUUID(),
    })) as { id: string }
    return resultOf(await ended(ask, accepted.id))
  }
}

/** For a worker that was given no producer. */
export const noCaller: Caller = async () => {
  throw new CallError('call-failed', 'this worker has no producer to call')
}

type Ask = (path: string, body?: object) => Promise<unknown>

function patiently(ask: Ask, patienceMs: number, signal: AbortSignal): Ask {
  return async (path, body) => {
    for (const until = performance.now() + patienceMs; ;) {
      try {
        return await ask(path, body)
      } catch (error) {
        const isLate = performance.now() + PAUSE_MS > until
        if (!(error instanceof ProducerAwayError) || isLate || signal.aborted) throw error
        await delay(PAUSE_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}

function asker(producerUrl: string, apiKey: string, { traceparent, signal }: CallOptions): Ask {
  return async (path, body) => {
    const answer = await fetch(new URL(path, producerUrl), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', traceparent },
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

async function ended(ask: Ask, id: string): Promise<View> {
  for (;;) {
    const view = (await ask(`/v1/requests/${encodeURIComponent(id)}?wait=30s`)) as View
    if (view.state === 'ended') return view
  }
}

function resultOf({ outcome, result, error }: View): unknown {
  if (outcome === 'completed') return result
  const type = (outcome === 'failed' ? error?.type : outcome) ?? 'failed'
  throw new CallError(type, error?.message ?? `the called request ended ${type}`)
}
