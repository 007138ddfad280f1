import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  describeRotation,
  type ManagedSecret,
  requestRotation,
  RotateAnswer,
  RotateCommand,
  type RotationRequest,
  type RotationStore,
  RotationView,
  ScheduleCommand,
  ScheduleError,
  setSchedule,
  SupplyCommand,
  supplyKey,
  viewOf,
  whyNotSupplied,
} from '#lib/rotation'
import { createHash } from 'node:crypto'
import * as z from 'zod'

export interface RoutesOptions {
  secrets: readonly ManagedSecret[]
  store: RotationStore
  /** Has a rotator look at the secret at once. */
  wake: (secret: string) => void
  now?: () => number
}

type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** Asks for something that there is not, or that cannot be. */
class RefusedError extends Error {
  readonly statusCode: number
  constructor(statusCode: number, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

/** `GET /v1/rotations`, `POST /v1/rotations`, `PUT /v1/schedules`, `POST /v1/keys`: see the schemas of #lib/rotation. */
export function registerRoutes(app: App, options: RoutesOptions): void {
  const { secrets, store } = options
  const views = () =>
    Promise.all(secrets.map(async (secret) => viewOf((await store.load(secret.name)).record, secret)))
  app.get('/v1/rotations', { schema: { response: { 200: z.array(RotationView) } } }, views)
  app.post('/v1/rotations', { schema: { body: RotateCommand, response: { 200: RotateAnswer } } }, (request) =>
    rotate(options, request.body),
  )
  app.put(
    '/v1/schedules',
    { schema: { body: ScheduleCommand, response: { 200: RotationView } } },
    (request) => schedule(options, request.body),
  )
  app.post('/v1/keys', { schema: { body: SupplyCommand, response: { 200: RotateAnswer } } }, (request) =>
    supply(options, request.body),
  )
}

async function rotate(options: RoutesOptions, command: RotateCommand): Promise<RotateAnswer> {
  const { store, wake } = options
  const secret = named(options, command.secret)
  const { record } = await store.load(secret.name)
  const plan = describeRotation(secret, record, command)
  if (secret.provider.awaitsKeys)
    return { ...plan, accepted: false, refused: 'its provider makes no keys by itself: supply the new one' }
  if (command.dryRun) return { ...plan, accepted: false }
  await requestRotation(store, secret.name, wish(options, command.operator, command.revokeOld))
  wake(secret.name)
  return { ...plan, accepted: true }
}

async function schedule(options: RoutesOptions, command: ScheduleCommand): Promise<RotationView> {
  const secret = named(options, command.secret)
  const { every, operator: by } = command
  const record = await setSchedule(options.store, secret.name, { every, by, at: now(options) }).catch(
    (error: unknown) => {
      throw error instanceof ScheduleError ? new RefusedError(400, error.message) : error
    },
  )
  options.wake(secret.name)
  return viewOf(record, secret)
}

async function supply(options: RoutesOptions, command: SupplyCommand): Promise<RotateAnswer> {
  const { store, wake } = options
  const secret = named(options, command.secret)
  const { record: before } = await store.load(secret.name)
  const plan = describeRotation(secret, before, { revokeOld: false })
  const refused = whyNotSupplied(secret, before)
  if (refused !== undefined) return { ...plan, accepted: false, refused }
  const id =
    command.keyId ?? `supplied-${createHash('sha256').update(command.value).digest('hex').slice(0, 12)}`
  const request = wish(options, command.operator, false)
  await supplyKey(store, secret.name, { id, value: command.value, request })
  wake(secret.name)
  return { ...plan, accepted: true }
}

function named({ secrets }: RoutesOptions, name: string): ManagedSecret {
  const secret = secrets.find((one) => one.name === name)
  if (secret) return secret
  const known = secrets.map((one) => one.name).join(', ')
  throw new RefusedError(404, `secret "${name}" is not rotated; the cluster file has rotate for: ${known}`)
}

const wish = (options: RoutesOptions, by: string, revokeOld: boolean): RotationRequest => ({
  at: now(options),
  by,
  revokeOld,
})
const now = (options: RoutesOptions) => (options.now ?? Date.now)()
