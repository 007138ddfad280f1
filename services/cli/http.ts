import * as z from 'zod'
import { messageOf } from '#lib/runtime'
import { CommandError } from './errors.ts'

/** One call to a service of the cluster. */
export interface HttpCall {
  url: string
  token?: string | undefined
  method?: 'GET' | 'POST'
  body?: unknown
  timeoutMs?: number
}

const Problem = z.object({ detail: z.string(), field: z.string().optional() })
const DEFAULT_TIMEOUT_MS = 10_000

/** Calls and reads the JSON answer. @throws CommandError with the service's own words when it refuses */
export async function callJson<S extends z.ZodType>(call: HttpCall, answer: S): Promise<z.infer<S>> {
  const response = await send(call)
  const body: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw refusal(call, response.status, body)
  const parsed = answer.safeParse(body)
  if (parsed.success) return parsed.data
  throw new CommandError(`${call.url} answered something unexpected: ${z.prettifyError(parsed.error)}`)
}

async function send({ url, token, method = 'GET', body, timeoutMs }: HttpCall): Promise<Response> {
  try {
    return await fetch(url, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs ?? DEFAULT_TIMEOUT_MS),
    })
  } catch (cause) {
    const reason = (cause as Error).cause ?? cause
    throw new CommandError(`${new URL(url).origin} cannot be reached: ${messageOf(reason)}`, { cause })
  }
}

function refusal(call: HttpCall, status: number, body: unknown): CommandError {
  const problem = Problem.safeParse(body)
  if (!problem.success) return new CommandError(`${call.url} answered ${status}`, { status })
  const { detail, field } = problem.data
  return new CommandError(field && !detail.includes(field) ? `${detail} (field ${field})` : detail, {
    status,
  })
}
