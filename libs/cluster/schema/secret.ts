import * as z from 'zod'
import { BUILT_IN, KNOWN_PROVIDERS } from '../builtin.ts'
import { nearest } from '../source/suggest.ts'
import { schedule } from './cron.ts'
import { optional, required, scalar } from './field.ts'
import { allowed, baseUrl, cidr, header, host } from './network.ts'
import { duration, integer, name, nameFault, oneOf, text } from './scalars.ts'

const Egress = z.strictObject({
  'base-url': required(baseUrl(), { type: 'URL', meaning: 'Where the service is; http or https' }),
  header: required(header(), {
    type: 'text',
    meaning: 'The header that carries the secret; `{value}` stands for it, once',
  }),
  allow: required(z.array(allowed()).min(1, 'expected at least one entry such as "POST /v1/messages"'), {
    type: 'list of `METHOD /path`',
    meaning:
      'The only requests that pass; `*` in a path stands for any characters, `?a&b` after it for the names a query may hold',
  }),
  networks: optional(z.array(cidr()).min(1, 'expected at least one address range'), {
    type: 'list of CIDR',
    meaning:
      'Ranges beside the public internet that its address may lie in; an address or localhost in `base-url` needs none',
  }),
})

const Connect = z.strictObject({
  host: required(host(), { type: 'host', meaning: 'Where the database listens' }),
  port: optional(integer(1, 65_535), {
    type: 'number',
    default: String(BUILT_IN.postgresPort),
    meaning: 'Its port',
  }),
  database: required(
    scalar('the name of a database (letters, digits, _ and -, at most 63)', (value) =>
      typeof value === 'string' && /^\w[\w-]{0,62}$/.test(value) ? value : undefined,
    ),
    { type: 'text', meaning: 'Name of the database' },
  ),
  'admin-secret': required(name(), {
    type: 'secret',
    meaning: 'The secret with the `user:password` that makes its users, or changes their passwords',
  }),
})

const loginRole = () =>
  scalar('a login role of Postgres (lower-case letters, digits, _ and -, at most 63)', (value) =>
    typeof value === 'string' && /^[a-z_][a-z0-9_-]{0,62}$/.test(value) ? value : undefined,
  )

/** `HH:MM-HH:MM`, as minutes since midnight. */
const dayPart = () =>
  scalar('a part of the day in UTC, such as "02:00-05:00"', (value) => {
    const TIME = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/
    const [, ...parts] = (typeof value === 'string' && TIME.exec(value)) || []
    const [fromHour, from, toHour, to] = parts.map(Number) as [number, number, number, number]
    const window = { fromMinute: fromHour * 60 + from, toMinute: toHour * 60 + to }
    return parts.length === 0 || window.fromMinute === window.toMinute ? undefined : window
  })

const RotationKeys = z.strictObject({
  every: required(schedule(), {
    type: 'schedule',
    meaning: '`daily`, `weekly`, `monthly`, or five cron fields',
  }),
  window: optional(dayPart(), {
    type: 'HH:MM-HH:MM',
    default: 'all day',
    meaning: 'The part of each day, in UTC, in which the schedule may begin a rotation; `--now` heeds none',
  }),
  project: optional(
    scalar('a project id (letters, digits, _ and -)', (value) =>
      typeof value === 'string' && /^\w[\w-]{0,99}$/.test(value) ? value : undefined,
    ),
    { type: 'text', meaning: 'For `openai`: the project that keys are made in' },
  ),
  'admin-secret': optional(name(), {
    type: 'secret',
    meaning: 'The secret that the rotator makes new keys with',
  }),
  role: optional(
    scalar('the name of an AppRole (letters, digits, _ and -)', (value) =>
      typeof value === 'string' && /^\w[\w-]{0,99}$/.test(value) ? value : undefined,
    ),
    { type: 'text', meaning: 'For `vault-approle`: the AppRole whose secret-id it is' },
  ),
  roles: optional(z.tuple([loginRole(), loginRole()], 'expected two login roles, such as [app-a, app-b]'), {
    type: 'list of two texts',
    meaning: 'For `postgres-roles`: the login roles that take turns',
  }),
  command: optional(text('a path'), {
    type: 'path',
    meaning: 'The executable that makes and ends its keys, inside the folder of this file; for any provider',
  }),
  also: optional(z.array(oneOf(['last-used', 'disable', 'identify'])), {
    type: 'list of last-used, disable, identify',
    default: '[]',
    meaning: 'What the command answers beside create, verify, revoke and find-orphans',
  }),
})

const Cache = z.strictObject({
  fresh: optional(duration('1s', '1h'), {
    type: 'duration',
    default: BUILT_IN.secretFresh,
    meaning: 'How long a sidecar serves the value before it asks Vault again, at most',
  }),
  stale: optional(duration('0s', '1d'), {
    type: 'duration',
    default: BUILT_IN.secretStale,
    meaning: 'How long after that it serves the value while Vault does not answer',
  }),
})

/** A mapping, or its short form: the schedule alone. */
const Rotation = z.preprocess((value) => (typeof value === 'string' ? { every: value } : value), RotationKeys)

const provider = () =>
  z.unknown().transform((value, context): string => {
    const near = typeof value === 'string' ? nearest(value, KNOWN_PROVIDERS) : undefined
    const fault =
      typeof value === 'string'
        ? nameFault(value)
        : `expected a provider, such as ${KNOWN_PROVIDERS.join(', ')}`
    const meant =
      near !== undefined && near !== value
        ? `no provider ${JSON.stringify(value)}; did you mean "${near}"?`
        : fault
    if (meant === undefined) return value as string
    context.addIssue({ code: 'custom', message: value === undefined ? `is missing; ${meant}` : meant })
    return z.NEVER
  })

/** What follows GRANT: a privilege ON something. It becomes a statement, so nothing may end it early. */
const grant = () =>
  scalar('what follows GRANT, such as "SELECT ON ALL TABLES IN SCHEMA public"', (value) => {
    if (typeof value !== 'string' || value.length > 500) return undefined
    const plain = !/;|--|\/\*|\{\{|\\|[\p{Cc}\p{Zl}\p{Zp}]/u.test(value) && !/\bTO\b/i.test(value)
    return plain && /^[a-z]+[a-z ,()"\w]* ON \S/i.test(value) ? value : undefined
  })

/** One entry of `secrets`. */
export const SecretKeys = z.strictObject({
  provider: required(provider(), {
    type: 'provider',
    meaning: `Whose secret it is: ${KNOWN_PROVIDERS.join(', ')}, or a name of your own for any other service`,
  }),
  deliver: optional(oneOf(['broker', 'value']), {
    type: 'broker, value',
    default: 'broker with egress, else value',
    meaning: '`broker`: the value never enters a context; `value`: an agent may read it',
  }),
  egress: optional(Egress, {
    type: 'mapping',
    default: 'built in for `anthropic` and `openai`',
    meaning: 'Where the broker may carry the secret to',
  }),
  connect: optional(Connect, {
    type: 'mapping',
    meaning: 'For `postgres` and `postgres-roles`: the database',
  }),
  grant: optional(z.array(grant()).min(1, 'expected at least one privilege'), {
    type: 'list of text',
    meaning: 'For `postgres`: what a leased user may do, as it follows GRANT',
  }),
  ttl: optional(duration('1s', '30d'), {
    type: 'duration',
    default: BUILT_IN.databaseTtl,
    meaning: 'For `postgres`: how long a leased user lives without renewal',
  }),
  rotate: optional(Rotation, {
    type: 'schedule or mapping',
    meaning: 'When it gets a new value: `daily`, `weekly`, `monthly`, cron, or a mapping',
  }),
  cache: optional(Cache, {
    type: 'mapping',
    meaning: 'For static secrets: how long a value is used without asking Vault; a rotation waits as long',
  }),
  sources: optional(z.array(cidr()).min(1, 'expected at least one address range'), {
    type: 'list of CIDR',
    meaning: 'Where its use is expected from; elsewhere raises an alert',
  }),
})
