import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import * as z from 'zod'
import { openai } from '../openai.ts'
import type { Organization } from './organization.ts'
import { accountView, keyView, madeView, pageOf } from './views.ts'

const Seconds = z.int().min(1).max(31_536_000).nullish()
const NewAccount = z.looseObject({
  name: z.string().min(1),
  expires_in_seconds: Seconds,
  create_service_account_only: z.boolean().nullish(),
})
const NewKey = z.looseObject({ name: z.string().min(1).optional(), expires_in_seconds: Seconds })

/** What a test makes the next call of a method do: fail before it has an effect, or have it and give no answer. */
export interface AdminFault {
  method: 'GET' | 'POST' | 'DELETE'
  fault: { status: number } | 'hang' | 'hang-after'
}

export interface OrganizationCall {
  organization: Organization
  request: IncomingMessage
  response: ServerResponse
  /** The first that is for the method is used up. */
  faults: AdminFault[]
}

interface Reply {
  status: number
  body: object
}

/** Below it lies what an admin key may call. */
export const ORGANIZATION_PATH = '/v1/organization/'

const PATH =
  /^\/v1\/organization\/projects\/(?<project>[\w-]+)\/(?<shelf>service_accounts|api_keys)(?:\/(?<id>[\w-]+)(?<its>\/api_keys)?)?$/

/**
 * OpenAI's API for service accounts of a project and their keys
 * (https://platform.openai.com/docs/api-reference/project-service-accounts, .../project-api-keys).
 */
export async function serveOrganization(call: OrganizationCall): Promise<void> {
  const { request, response, faults } = call
  const at = faults.findIndex(({ method }) => method === request.method)
  const fault = at < 0 ? undefined : faults.splice(at, 1)[0]!.fault
  if (fault === 'hang') return
  const { status, body } =
    typeof fault === 'object' ? refused(fault.status, 'asked for by a test') : await answer(call)
  if (fault !== 'hang-after')
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function answer({ organization, request }: OrganizationCall): Promise<Reply> {
  const key = openai.keyOf(request.headers)
  if (!key || !organization.isAdmin(key)) {
    request.resume()
    if (key && organization.use(key)) return refused(403, 'Missing scopes: api.management.write.')
    return { status: 401, body: openai.error(401, '', key) }
  }
  const { pathname, searchParams } = new URL(request.url!, 'http://stand-in')
  const parts = PATH.exec(pathname)?.groups
  const handler = parts && HANDLERS[`${request.method} ${shapeOf(parts)}`]
  if (!handler) return refused(404, `Invalid URL (${request.method} ${pathname})`)
  const body = request.method === 'POST' ? await json(request).catch(() => undefined) : undefined
  const { project = '', id = '' } = parts
  return handler({ organization, project, id, body, query: searchParams })
}

interface Asked {
  organization: Organization
  project: string
  id: string
  body: unknown
  query: URLSearchParams
}

/** By method and path, `*` for an id. */
const HANDLERS: Record<string, (asked: Asked) => Reply> = {
  'POST service_accounts': createAccount,
  'GET service_accounts': ({ organization, project, query }) =>
    done(pageOf(organization.accounts(project).map(accountView), query)),
  'GET service_accounts/*': ({ organization, project, id }) =>
    found(
      organization
        .accounts(project)
        .map(accountView)
        .find((account) => account.id === id),
    ),
  'DELETE service_accounts/*': ({ organization, project, id }) =>
    organization.deleteAccount(project, id) ? done(deleted('service_account', id)) : NOT_FOUND,
  'POST service_accounts/*/api_keys': createKey,
  'GET api_keys': ({ organization, project, query }) => done(pageOf(keyViews(organization, project), query)),
  'GET api_keys/*': ({ organization, project, id }) =>
    found(keyViews(organization, project).find((key) => key.id === id)),
  'DELETE api_keys/*': ({ organization, project, id }) =>
    organization.deleteKey(project, id) ? done(deleted('api_key', id)) : NOT_FOUND,
}

function createAccount({ organization, project, body }: Asked): Reply {
  const asked = NewAccount.safeParse(body)
  if (!asked.success) return refused(400, faultOf(asked.error))
  const { name, expires_in_seconds, create_service_account_only } = asked.data
  const wanted = {
    name,
    expiresInSeconds: expires_in_seconds ?? null,
    withKey: create_service_account_only !== true,
  }
  const { account, made } = organization.createAccount(project, wanted)
  return done({ ...accountView(account), api_key: made ? madeView(made) : null })
}

function createKey({ organization, project, id, body }: Asked): Reply {
  const asked = NewKey.safeParse(body ?? {})
  if (!asked.success) return refused(400, faultOf(asked.error))
  const { name = 'Secret Key', expires_in_seconds } = asked.data
  const made = organization.createKey(project, id, { name, expiresInSeconds: expires_in_seconds ?? null })
  return made ? done(madeView(made)) : NOT_FOUND
}

function keyViews(organization: Organization, project: string) {
  const accounts = organization.accounts(project)
  return organization.keys(project).map((key) =>
    keyView(
      key,
      accounts.find(({ id }) => id === key.accountId),
    ),
  )
}

const shapeOf = ({ shelf, id, its = '' }: Record<string, string | undefined>) =>
  `${shelf}${id === undefined ? '' : '/*'}${its}`
const done = (body: object): Reply => ({ status: 200, body })
const refused = (status: number, message: string): Reply => ({ status, body: openai.error(status, message) })
const NOT_FOUND = refused(404, 'No such object')
const found = (body: object | undefined): Reply => (body ? done(body) : NOT_FOUND)
const deleted = (what: string, id: string) => ({
  object: `organization.project.${what}.deleted`,
  id,
  deleted: true,
})

function faultOf(error: z.ZodError): string {
  const [issue] = error.issues
  return `Invalid value for '${issue!.path.join('.')}': ${issue!.message}`
}
