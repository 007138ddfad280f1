import type { PolicyStore } from '../acl/policy-store.ts'
import { write, type EngineRequest, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'

/** `sys/policies/acl`, and its elder sister `sys/policy`, which names the text `rules`. */
export function policyRoutes(policies: PolicyStore): Route[] {
  const textOf = (request: EngineRequest) => {
    const text = policies.text(nameOf(request))
    if (text === undefined) throw nothingThere()
    return text
  }
  const change = {
    ...write((request) => {
      policies.put(nameOf(request), policyText(request))
      return nameOf(request) === request.params['name']
        ? undefined
        : { warnings: [`policy name was converted to ${nameOf(request)}`] }
    }),
    delete: (request: EngineRequest) => policies.delete(nameOf(request)),
  }
  const oldList = () => ({ data: { keys: policies.names(), policies: policies.names() }, alsoOnTop: true })
  return [
    { pattern: 'policies/acl', on: { list: () => ({ data: { keys: policies.names() } }) } },
    {
      pattern: 'policies/acl/*name',
      on: { ...change, read: (request) => ({ data: { name: nameOf(request), policy: textOf(request) } }) },
    },
    { pattern: 'policy', on: { read: oldList, list: oldList } },
    {
      pattern: 'policy/*name',
      on: {
        ...change,
        read: (request) => ({
          data: { name: nameOf(request), rules: textOf(request) },
          alsoOnTop: true,
        }),
      },
    },
  ]
}

/** Policy names do not tell upper from lower case. */
const nameOf = ({ params }: EngineRequest) => params['name']!.toLowerCase()

/** HCL or JSON, plain or as base64. */
function policyText({ fields }: EngineRequest): string {
  const text = fields.string('policy', fields.string('rules'))
  if (text === '') throw badRequest("'policy' parameter not supplied or empty")
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
  return isBase64 ? Buffer.from(text, 'base64').toString() : text
}
