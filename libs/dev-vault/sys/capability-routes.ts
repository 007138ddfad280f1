import type { PolicyStore } from '../acl/policy-store.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, oneError } from '../errors.ts'
import type { TokenEntry } from '../tokens/token-entry.ts'
import type { TokenStore } from '../tokens/token-store.ts'

/** `sys/capabilities*`: what a token may do at some paths. */
export function capabilityRoutes(policies: PolicyStore, tokens: TokenStore): Route[] {
  const answer = ({ fields }: EngineRequest, entry: TokenEntry): Reply => {
    const paths = fields.has('paths') ? fields.list('paths') : fields.list('path')
    if (paths.length === 0) throw badRequest('paths must be supplied')
    const acl = policies.acl(entry.policies)
    const pairs = paths.map((path): [string, string[]] => [path, acl.capabilities(path.replace(/^\/+/, ''))])
    const only = pairs.length === 1 ? [['capabilities', pairs[0]![1]] as const] : []
    return { data: Object.fromEntries([...pairs, ...only]), alsoOnTop: true }
  }
  return [
    { pattern: 'capabilities-self', on: write((request) => answer(request, request.token!)) },
    {
      pattern: 'capabilities',
      on: write((request) => {
        const entry = tokens.find(request.fields.string('token'))
        if (!entry) throw badRequest(oneError('invalid token'))
        return answer(request, entry)
      }),
    },
    {
      pattern: 'capabilities-accessor',
      on: write((request) => {
        const accessor = request.fields.string('accessor')
        if (accessor === '') throw badRequest('missing accessor')
        const entry = tokens.findAccessor(accessor)
        if (!entry) throw badRequest('invalid accessor')
        return answer(request, entry)
      }),
    },
  ]
}
