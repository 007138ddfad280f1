import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { callJson } from './http.ts'
import type { Target } from './target.ts'

/** A request as the producer shows it; whatever else it says passes through. */
export const RequestView = z.looseObject({
  id: z.string(),
  agent: z.string(),
  state: z.enum(['waiting', 'running', 'ended']),
  outcome: z.string().optional(),
  result: z.unknown().optional(),
  error: z.looseObject({ type: z.string(), message: z.string() }).optional(),
  attempts: z.number(),
  traceId: z.string().optional(),
  queuedMs: z.number().optional(),
  runMs: z.number().optional(),
  attemptRecords: z.array(z.unknown()).optional(),
  receipt: z
    .looseObject({
      context: z.string(),
      level: z.string(),
      reuse: z.number(),
      pid: z.number(),
      peakBytes: z.number().nullable(),
      endedBy: z.string(),
    })
    .optional(),
})
export type RequestView = z.infer<typeof RequestView>

const Accepted = z.looseObject({ id: z.string(), traceId: z.string().optional(), url: z.string() })
export type Accepted = z.infer<typeof Accepted>

/** An agent type as `GET /v1/agents` tells it. */
export const AgentView = z.looseObject({
  name: z.string(),
  type: z.string(),
  slots: z.number(),
  active: z.number(),
  waiting: z.number(),
  spares: z.number(),
  level: z.string().nullable(),
  model: z.string().nullish(),
})
export type AgentView = z.infer<typeof AgentView>

/** The producer answers a waiting call at the latest after this, with the request as it is then. */
const LONGEST_WAIT_MS = 30_000

/** Posts a request. @throws CommandError */
export function enqueue(target: Target, agent: string, input: unknown): Promise<Accepted> {
  const body = { agent, input }
  return callJson({ url: `${target.url}/v1/requests`, token: target.apiKey, method: 'POST', body }, Accepted)
}

/** A request as it is now, or when it has ended within `waitMs`. @throws CommandError */
export function readRequest(target: Target, id: string, waitMs = 0): Promise<RequestView> {
  const wait = waitMs > 0 ? `?wait=${Math.min(Math.ceil(waitMs), LONGEST_WAIT_MS)}ms` : ''
  const url = `${target.url}/v1/requests/${encodeURIComponent(id)}${wait}`
  return callJson({ url, token: target.apiKey, timeoutMs: LONGEST_WAIT_MS + 10_000 }, RequestView)
}

/** Waits until a request has ended; gives it as it is when the time is over. @throws CommandError */
export async function awaitRequest(target: Target, id: string, timeoutMs: number): Promise<RequestView> {
  const until = performance.now() + timeoutMs
  for (;;) {
    const view = await readRequest(target, id, Math.max(1, until - performance.now()))
    if (view.state === 'ended' || performance.now() >= until) return view
    await delay(50)
  }
}

export function readAgents(target: Target): Promise<AgentView[]> {
  return callJson({ url: `${target.url}/v1/agents`, token: target.apiKey }, z.array(AgentView))
}
