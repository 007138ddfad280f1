import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { InvalidJobError, isRedisUnavailable } from '#lib/queue'
import { ProblemError } from './problem.ts'

const NO_JSON = 'the body is not valid JSON; expected an object with agent and input'
const FASTIFY: Record<string, () => ProblemError> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new ProblemError('too-large', 'the body is larger than 1 MiB'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new ProblemError('unsupported-media-type', 'expected content-type: application/json'),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => new ProblemError('malformed-json', 'the body is empty, expected JSON'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => new ProblemError('malformed-json', NO_JSON),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new ProblemError('invalid-request', 'the body does not have the length that content-length says'),
}

/** The one place that says which error becomes which answer. Anything unknown says nothing about itself. */
export function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error
  if (isRedisUnavailable(error))
    return new ProblemError('queue-unavailable', 'Redis does not answer', {
      retryAfterS: 1,
    })
  if (error instanceof InvalidJobError)
    return new ProblemError('invalid-input', error.message.replace('job data', 'input'), { field: 'input' })
  if (hasZodFastifySchemaValidationErrors(error)) return invalidRequest(error.validation[0])
  const code = (error as { code?: string }).code ?? ''
  if (Object.hasOwn(FASTIFY, code)) return FASTIFY[code]!()
  if (error instanceof SyntaxError) return new ProblemError('malformed-json', NO_JSON)
  if ((error as { statusCode?: number }).statusCode === 400)
    return new ProblemError('invalid-request', 'the request is malformed')
  return new ProblemError('internal', 'an unexpected error; the log of the producer says which')
}

interface Violation {
  instancePath: string
  message?: string
  params: Record<string, unknown>
}

function invalidRequest(violation: Violation | undefined): ProblemError {
  const path = violation?.instancePath.split('/').slice(1).join('.') ?? ''
  const unknown = (violation?.params['keys'] as string[] | undefined)?.[0]
  const field = unknown === undefined ? path : [path, unknown].filter(Boolean).join('.')
  const why = unknown === undefined ? plain(violation?.message ?? 'is not valid') : 'is not a known key'
  return new ProblemError('invalid-request', field ? `${field}: ${why}` : why, field ? { field } : {})
}

/** The schema library's words for a value that is missing or of another kind, as a caller would say them. */
function plain(message: string): string {
  const [, expected, found] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? []
  if (found === 'undefined')
    return expected === 'nonoptional' ? 'is required' : `is required, a JSON ${expected}`
  return found === undefined ? message : `expected a JSON ${expected}, found ${found}`
}
