import * as z from 'zod'
import type { Answer, Conversation } from './conversation.ts'
import { BadRequestError, type Dialect, piecesOf } from './dialect.ts'

const Text = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
const Body = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.number().int().positive(),
  system: Text.optional(),
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant']), content: Text })).min(1),
  stream: z.boolean().optional(),
})

/** Anthropic's Messages API (https://docs.anthropic.com/en/api/messages), version 2023-06-01. */
export const anthropic: Dialect = {
  provider: 'anthropic',
  path: '/v1/messages',
  keyOf: (headers) => single(headers['x-api-key']),
  read(body, headers) {
    if (!headers['anthropic-version']) throw new BadRequestError('anthropic-version: header is required')
    const parsed = Body.safeParse(body)
    if (!parsed.success)
      throw new BadRequestError(
        `${parsed.error.issues[0]!.path.join('.')}: ${parsed.error.issues[0]!.message}`,
      )
    const { model, system, messages, stream = false } = parsed.data
    const user = messages.filter(({ role }) => role === 'user').map(({ content }) => textOf(content))
    return { model, system: textOf(system ?? ''), user: user.join('\n'), stream }
  },
  answer: (conversation, answer) => ({
    ...head(conversation, answer),
    content: [{ type: 'text', text: answer.text }],
    stop_reason: 'end_turn',
    usage: { input_tokens: answer.inputTokens, output_tokens: answer.outputTokens },
  }),
  events: (conversation, answer) => [
    event('message_start', { message: head(conversation, answer) }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ...piecesOf(answer.text).map((text) =>
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
    ),
    event('content_block_stop', { index: 0 }),
    event('message_delta', {
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: answer.outputTokens },
    }),
    event('message_stop', {}),
  ],
  error: (status, message) => ({
    type: 'error',
    error: { type: errorType(status), message: status === 401 ? 'invalid x-api-key' : message },
    request_id: 'req_standin',
  }),
  models: () => ({
    data: ['claude-opus-4-5', 'claude-sonnet-4-5', 'claude-haiku-4-5'].map((id) => ({
      type: 'model',
      id,
      display_name: id,
      created_at: '2025-01-01T00:00:00Z',
    })),
    has_more: false,
    first_id: 'claude-opus-4-5',
    last_id: 'claude-haiku-4-5',
  }),
}

function head({ model }: Conversation, answer: Answer): object {
  return {
    id: 'msg_standin',
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: answer.inputTokens, output_tokens: 1 },
  }
}

function errorType(status: number): string {
  const types: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    413: 'request_too_large',
    429: 'rate_limit_error',
    529: 'overloaded_error',
  }
  return types[status] ?? 'api_error'
}

const event = (type: string, data: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`
const single = (value: string | string[] | undefined) => (typeof value === 'string' ? value : undefined)
const textOf = (content: z.infer<typeof Text>) =>
  typeof content === 'string' ? content : content.map(({ text }) => text ?? '').join('\n')
