import type { ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import { BadBrokerRequestError } from '#lib/broker'
import type { LeaseResult, SecretValue } from '#lib/wire'
import * as z from 'zod'
import type { Access } from './access.ts'
import type { ContextRequest } from './context-routes.ts'
import { sendJson } from './exchange.ts'

const LeaseRequest = z.strictObject({ name: z.string().max(100) })

/** `GET /v1/secrets/<name>`: a value that may enter the context. */
export async function serveSecret(
  access: Access,
  { attempt, parent }: ContextRequest,
  response: ServerResponse,
  name: string,
): Promise<void> {
  const { value, generation } = await context.with(parent, () => access.value(attempt, name))
  const answer: SecretValue = { name, value: value.reveal(), generation }
  sendJson(response, 200, answer)
}

/** `POST /v1/leases`: a database user for this attempt. */
export async function serveLease(
  access: Access,
  { attempt, parent }: ContextRequest,
  response: ServerResponse,
  body: unknown,
): Promise<void> {
  const parsed = LeaseRequest.safeParse(body)
  if (!parsed.success) throw new BadBrokerRequestError('"name": the name of a secret')
  const { name, credentials, ttlMs } = await context.with(parent, () =>
    access.lease(attempt, parsed.data.name),
  )
  const answer: LeaseResult = { name, credentials, ttlMs }
  sendJson(response, 200, answer)
}
