import type * as z from 'zod'
import { KeyRefusedError, ProviderFailedError } from '../errors.ts'

/** One call to a provider's HTTP API. */
export interface ApiCall<T> {
  method?: 'GET' | 'POST' | 'DELETE'
  url: string
  headers: Record<string, string>
  json?: object
  signal: AbortSignal
  answer: z.ZodType<T>
}

/**
 * Makes the call and gives its checked answer; undefined for 404. Errors name method, path and status, and nothing of a
 * header or a body: providers repeat parts of keys in their messages.
 * @throws KeyRefusedError for 401 and 403; ProviderFailedError
 */
export async function callApi<T>({
  method = 'GET',
  url,
  answer,
  ...call
}: ApiCall<T>): Promise<T | undefined> {
  const what = `${method} ${new URL(url).pathname}`
  const response = await send(what, { method, url, ...call })
  const body: unknown = await response.json().catch(() => undefined)
  if (response.status === 404) return undefined
  if (response.status === 401 || response.status === 403)
    throw new KeyRefusedError(`the key of ${what} (HTTP ${response.status})`)
  if (!response.ok) throw new ProviderFailedError(what, `HTTP ${response.status}`)
  const parsed = answer.safeParse(body)
  if (parsed.success) return parsed.data
  throw new ProviderFailedError(
    what,
    `unexpected answer at ${parsed.error.issues[0]!.path.join('.') || 'its root'}`,
  )
}

/** No redirect is followed: the key would travel with it. */
async function send(
  what: string,
  { method, url, headers, json, signal }: Omit<ApiCall<unknown>, 'answer'>,
): Promise<Response> {
  try {
    return await fetch(url, {
      method: method!,
      headers: { ...headers, ...(json && { 'content-type': 'application/json' }) },
      body: json ? JSON.stringify(json) : null,
      redirect: 'error',
      signal,
    })
  } catch (error) {
    const { cause, name } = error as { cause?: { code?: unknown }; name?: unknown }
    const why = typeof cause?.code === 'string' ? cause.code : String(name)
    throw new ProviderFailedError(what, why)
  }
}
