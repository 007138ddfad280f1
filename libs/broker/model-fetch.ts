import { Readable } from 'node:stream'
import { UpstreamError } from './errors.ts'
import type { CallLimits, CarriedSecret, IncomingAnswer, Upstream } from './upstream.ts'

const ERROR_BODY_BYTES = 64 * 1024
const REJECTION_CHARACTERS = 300

/**
 * A `fetch` for a provider's SDK that goes through the broker: the SDK never holds the key, and its requests are judged
 * by the secret's rules like any other. An answer that is no success becomes an {@link UpstreamError} here, so that the
 * SDK never sees the provider's text.
 */
export function modelFetch(upstream: Upstream, secret: CarriedSecret, limits: CallLimits): typeof fetch {
  return async (input, init) => {
    const signal = init?.signal ? AbortSignal.any([limits.signal, init.signal]) : limits.signal
    const answer = await upstream.send(
      {
        secret,
        method: init?.method ?? 'GET',
        address: input instanceof Request ? input.url : String(input),
        headers: new Headers(init?.headers),
        ...(typeof init?.body === 'string' && { body: Buffer.from(init.body) }),
      },
      { ...limits, signal },
    )
    if (answer.status < 200 || answer.status > 299) throw await refusalOf(answer)
    return new Response(Readable.toWeb(answer.body) as ReadableStream, {
      status: answer.status,
      headers: answer.headers,
    })
  }
}

/** A provider's answer that is no success, as an error. */
async function refusalOf({ status, headers, body }: IncomingAnswer): Promise<UpstreamError> {
  const text = await beginningOf(body)
  if (status === 401 || status === 403)
    return new UpstreamError('upstream-unauthorized', `the model provider refused the key (${status})`)
  if (status === 429)
    return new UpstreamError('upstream-rate-limited', 'the model provider limits the rate (429)', {
      ...retryAfter(headers['retry-after']),
    })
  if (status >= 500 || status < 400)
    return new UpstreamError('upstream-failed', `the model provider answered ${status}`)
  return new UpstreamError(
    'upstream-rejected',
    `the model provider rejected the request (${status}): ${reasonIn(text)}`,
  )
}

async function beginningOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > ERROR_BODY_BYTES) break
    }
  } catch {
    // a status without its text is enough
  }
  return Buffer.concat(chunks).toString()
}

/** The message of a provider's error body, masked already; `no reason given` where there is none. */
function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    const message = typeof error?.message === 'string' ? error.message : ''
    return message.replaceAll(/\s+/g, ' ').slice(0, REJECTION_CHARACTERS) || 'no reason given'
  } catch {
    return 'no reason given'
  }
}

function retryAfter(value: string | undefined): { retryAfterMs?: number } {
  const seconds = value && /^\d{1,6}(\.\d{1,3})?$/.test(value) ? Number(value) : undefined
  return seconds === undefined ? {} : { retryAfterMs: seconds * 1000 }
}
