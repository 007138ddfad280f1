import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { PermanentError } from './errors.ts'

/** The environment does not hold what a service needs. Names every variable that is missing or wrong. */
export class ConfigError extends PermanentError {
  override readonly name = 'ConfigError'
  constructor(problems: string[]) {
    super(`configuration: ${problems.join('; ')}`)
  }
}

/**
 * Reads a service's configuration from the environment: the key `redis.passwordFile` is `TB_REDIS_PASSWORD_FILE`.
 * Only variables that the schema names are read; a variable that is unset or empty counts as absent.
 * @throws ConfigError naming the variables
 */
export function loadConfig<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): z.infer<S> {
  const parsed = schema.safeParse(collect(schema, env, 'TB'))
  if (parsed.success) return parsed.data
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => {
      const name = variableName(path)
      const expected = message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')
      return `${name}: ${env[name] ? '' : 'not set, '}${expected}`
    }),
  )
}

/** The inverse of {@link loadConfig}: nested values as environment variables. Undefined values are left out. */
export function configToEnv(values: object, prefix = 'TB'): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [key, value] of Object.entries(values)) {
    const name = `${prefix}_${snake(key)}`
    if (value === undefined || value === null) continue
    if (typeof value === 'object') Object.assign(env, configToEnv(value, name))
    else env[name] = String(value)
  }
  return env
}

/** What a file that holds one credential says, without the white space around it. @throws ConfigError naming the file, never its content */
export function readCredential(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new ConfigError([
      `cannot read the credential file ${file}: ${(cause as NodeJS.ErrnoException).code}`,
    ])
  }
}

/** Where Redis is: a URL, or a unix socket; the password lies in a file of its own. */
export const RedisConfig = z.object({
  url: z.string().optional(),
  socket: z.string().optional(),
  user: z.string().optional(),
  passwordFile: z.string().optional(),
})
export type RedisConfig = z.infer<typeof RedisConfig>

/** Where spans go. `endpoint` is an OTLP/HTTP base URL (spans are posted to `<endpoint>/v1/traces`). */
export const TelemetryConfig = z.object({
  endpoint: z.string().optional(),
  tokenFile: z.string().optional(),
})
export type TelemetryConfig = z.infer<typeof TelemetryConfig>

function collect(schema: z.ZodObject, env: NodeJS.ProcessEnv, prefix: string): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(schema.shape)) {
    const name = `${prefix}_${snake(key)}`
    const inner = unwrap(field as z.ZodType)
    if (inner instanceof z.ZodObject) {
      const group = collect(inner, env, name)
      // A group that may be absent is, when none of its variables is set.
      if (Object.keys(group).length > 0 || !(field instanceof z.ZodOptional)) values[key] = group
    } else if (env[name]) values[key] = env[name]
  }
  return values
}

function unwrap(field: z.ZodType): z.ZodType {
  const inner = (field as { def?: { innerType?: z.ZodType } }).def?.innerType
  return inner ? unwrap(inner) : field
}

const snake = (key: string) => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()
const variableName = (path: PropertyKey[]) => ['TB', ...path.map((key) => snake(String(key)))].join('_')
