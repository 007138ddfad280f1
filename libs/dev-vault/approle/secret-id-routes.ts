import { randomUUID } from 'node:crypto'
import type { Clock } from '#lib/runtime'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere, oneError, VaultRefusal } from '../errors.ts'
import type { AppRole } from './approle-role.ts'
import { describeSecretId, findSecretId, findSecretIdAccessor, issueSecretId } from './secret-ids.ts'

export interface SecretIdParts {
  clock: Clock
  roleOf: (request: EngineRequest) => AppRole | undefined
}

/** `role/<name>/secret-id…`: secret ids are made, looked up, listed and destroyed. */
export function secretIdRoutes(parts: SecretIdParts): Route[] {
  const { clock } = parts
  const issue = (request: EngineRequest, secret: string) =>
    issueSecretId(clock, roleIn(parts, request, 404), { request, secret })
  return [
    {
      pattern: 'role/:name/secret-id',
      on: {
        ...write((request) => issue(request, randomUUID())),
        list: (request) => list(roleIn(parts, request, 400)),
      },
    },
    {
      pattern: 'role/:name/custom-secret-id',
      on: write((request) => issue(request, given(request, 'secret_id'))),
    },
    { pattern: 'role/:name/secret-id/lookup', on: write((request) => lookup(parts, request)) },
    { pattern: 'role/:name/secret-id/destroy', on: write((request) => destroy(parts, request)) },
    {
      pattern: 'role/:name/secret-id-accessor/lookup',
      on: write((request) => lookupAccessor(parts, request)),
    },
    {
      pattern: 'role/:name/secret-id-accessor/destroy',
      on: write((request) => destroyAccessor(parts, request)),
    },
  ]
}

function list(role: AppRole): Reply {
  const accessors = [...role.secretIds.values()].map(({ accessor }) => accessor)
  if (accessors.length === 0) throw nothingThere()
  return { data: { keys: accessors } }
}

function lookup(parts: SecretIdParts, request: EngineRequest): Reply | undefined {
  const secret = given(request, 'secret_id')
  const found = findSecretId(parts.clock, roleIn(parts, request, 500), secret)
  return found && { data: describeSecretId(found) }
}

function destroy(parts: SecretIdParts, request: EngineRequest): undefined {
  const secret = given(request, 'secret_id')
  const role = roleIn(parts, request, 500)
  const found = findSecretId(parts.clock, role, secret)
  if (found) role.secretIds.delete(found.hash)
}

/** What is not found is told in `data`, with 404, as Vault does it. */
function lookupAccessor(parts: SecretIdParts, request: EngineRequest): Reply {
  const accessor = given(request, 'secret_id_accessor')
  const found = findSecretIdAccessor(parts.clock, roleIn(parts, request, 500), accessor)
  if (found) return { data: describeSecretId(found) }
  return { status: 404, data: { error: unknownAccessor(accessor) } }
}

function destroyAccessor(parts: SecretIdParts, request: EngineRequest): undefined {
  const accessor = given(request, 'secret_id_accessor')
  const role = roleIn(parts, request, 500)
  const found = findSecretIdAccessor(parts.clock, role, accessor)
  if (!found) throw new VaultRefusal(500, oneError(unknownAccessor(accessor)))
  role.secretIds.delete(found.hash)
}

const unknownAccessor = (accessor: string) =>
  `failed to find accessor entry for secret_id_accessor: "${accessor}"`

/** Each route has a status of its own for a role that does not exist. @throws VaultRefusal */
function roleIn({ roleOf }: SecretIdParts, request: EngineRequest, status: 400 | 404 | 500): AppRole {
  const role = roleOf(request)
  if (role) return role
  const text = `role "${request.params['name']}" does not exist`
  throw new VaultRefusal(status, status === 500 ? oneError(text) : text)
}

function given({ fields }: EngineRequest, name: string): string {
  const value = fields.string(name)
  if (!value) throw badRequest(`missing ${name}`)
  return value
}
