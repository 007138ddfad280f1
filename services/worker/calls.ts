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

/** Where `ctx.call` goes: the producer, which alone signs jobs. Gives the result. @throws CallError */
export type Caller = (options: CallOptions) => Promise<unknown>

interface View {
  state: string
  outcome?: string
  result?: unknown
  error?: { type: string; message: string }
}

/** Calls through the producer with the worker's own API key; resolves when the called request has ended. */
export function openCaller(producerUrl: string, apiKey: string): Caller {
  return async (options) => {
    const ask = asker(producerUrl, apiKey, options)
    const { agentType: agent, input, parent } = options
    const accepted = (await ask('/v1/requests', { agent, input, parent })) as { id: string }
    return resultOf(await ended(ask, accepted.id))
  }
}

/** For a worker that was given no producer. */
export const noCaller: Caller = async () => {
  throw new CallError('call-failed', 'this worker has no producer to call')
}

type Ask = (path: string, body?: unknown) => Promise<unknown>

function asker(producerUrl: string, apiKey: string, { traceparent, signal }: CallOptions): Ask {
  return async (path, body) => {
    const answer = await fetch(new URL(path, producerUrl), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', traceparent },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      redirect: 'error',
    }).catch((cause: Error) => {
      throw new CallError('call-failed', `the producer cannot be reached: ${cause.message}`, { cause })
    })
    const value = (await answer.json()) as { detail?: string; title?: string }
    if (answer.ok) return value
    throw new CallError(
      'call-refused',
      value.detail ?? value.title ?? `the producer answered ${answer.status}`,
    )
  }
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
