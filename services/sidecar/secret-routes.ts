import type { ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import type { LeaseResult, SecretValue } from '#lib/wire'
import * as z from 'zod'
import type { Access } from './access.ts'
import type { ContextRequest } from './context-routes.ts'
import { parseBody, sendJson } from './exchange.ts'

const LeaseBody = z.strictObject({ name: z.string().max(100) })

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
  const { name } = parseBody(LeaseBody, body)
  const { credentials, ttlMs } = await context.with(parent, () => access.lease(attempt, name))
  const answer: LeaseResult = { name, credentials, ttlMs }
  sendJson(response, 200, answer)
}
