import * as z from 'zod'
import { BadRequestError, type Dialect, piecesOf } from './dialect.ts'

const Text = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
const Body = z.looseObject({
  model: z.string().min(1),
  messages: z.array(z.looseObject({ role: z.string(), content: Text.nullish() })).min(1),
  stream: z.boolean().optional(),
})

/** OpenAI's Chat Completions API (https://platform.openai.com/docs/api-reference/chat). */
export const openai: Dialect = {
  provider: 'openai',
  path: '/v1/chat/completions',
  keyOf: (headers) => /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1],
  read(body) {
    const parsed = Body.safeParse(body)
    if (!parsed.success)
      throw new BadRequestError(
        `Invalid value for '${parsed.error.issues[0]!.path.join('.')}': ${parsed.error.issues[0]!.message}`,
      )
    const { model, messages, stream = false } = parsed.data
    const of = (...roles: string[]) =>
      messages
        .filter(({ role }) => roles.includes(role))
        .map(({ content }) => textOf(content))
        .join('\n')
    return { model, system: of('system', 'developer'), user: of('user'), stream }
  },
  answer: ({ model }, answer) => ({
    ...head(model, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer.text, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: usageOf(answer),
  }),
  events: ({ model }, answer) => [
    chunk(model, { role: 'assistant', content: '' }),
    ...piecesOf(answer.text).map((content) => chunk(model, { content })),
    chunk(model, {}, 'stop'),
    `data: ${JSON.stringify({ ...head(model, 'chat.completion.chunk'), choices: [], usage: usageOf(answer) })}\n\n`,
    'data: [DONE]\n\n',
  ],
  error: (status, message, key) => ({
    error: {
      message: status === 401 ? unauthorized(key) : message,
      type: status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error',
      param: null,
      code: status === 401 ? 'invalid_api_key' : status === 429 ? 'rate_limit_exceeded' : null,
    },
  }),
  models: () => ({
    object: 'list',
    data: ['gpt-4-turbo', 'gpt-4o', 'gpt-4o-mini'].map((id) => ({
      id,
      object: 'model',
      created: 1_735_689_600,
      owned_by: 'stand-in',
    })),
  }),
}

function unauthorized(key?: string): string {
  const help = 'You can find your API key at https://platform.openai.com/account/api-keys.'
  return key
    ? `Incorrect API key provided: ${key.slice(0, 3)}***${key.slice(-2)}. ${help}`
    : `You didn't provide an API key. ${help}`
}

function head(model: string, object: string) {
  return { id: 'chatcmpl-standin', object, created: 1_735_689_600, model, system_fingerprint: null }
}

function chunk(model: string, delta: object, finish: string | null = null): string {
  const body = {
    ...head(model, 'chat.completion.chunk'),
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
  }
  return `data: ${JSON.stringify(body)}\n\n`
}

const usageOf = (answer: { inputTokens: number; outputTokens: number }) => ({
  prompt_tokens: answer.inputTokens,
  completion_tokens: answer.outputTokens,
  total_tokens: answer.inputTokens + answer.outputTokens,
})
const textOf = (content: z.infer<typeof Text> | null | undefined) =>
  typeof content === 'string' ? content : (content ?? []).map(({ text }) => text ?? '').join('\n')
