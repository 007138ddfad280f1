import { write, type Engine, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, oneError, VaultRefusal } from '../errors.ts'
import { createToken, type TokenCreation } from './token-create.ts'
import type { TokenEntry } from './token-entry.ts'
import { describeToken } from './token-replies.ts'

/** `auth/token/`: tokens make, look up, renew and revoke tokens. */
export function tokenEngine(parts: TokenCreation): Engine {
  return {
    type: 'token',
    routes: [...createRoutes(parts), ...lookupRoutes(parts), ...endRoutes(parts), ...parts.roles.routes()],
  }
}

function createRoutes(parts: TokenCreation): Route[] {
  return [
    { pattern: 'create', on: { update: (request) => createToken(parts, request, false) } },
    { pattern: 'create-orphan', on: { update: (request) => createToken(parts, request, true) } },
    { pattern: 'create/:role', on: { update: (request) => createToken(parts, request, false) } },
  ]
}

function lookupRoutes({ clock, tokens }: TokenCreation): Route[] {
  const lookup = (entry: TokenEntry, id: string): Reply => ({
    data: { ...describeToken(entry, tokens.leaseOf(entry), clock.now()), id },
  })
  const self = ({ token, clientToken }: EngineRequest) => lookup(token!, clientToken)
  const other = (request: EngineRequest) => {
    const id = request.fields.string('token', request.clientToken)
    const entry = tokens.find(id)
    if (!entry) throw new VaultRefusal(403, 'bad token')
    return lookup(entry, id)
  }
  return [
    { pattern: 'lookup-self', on: { read: self, ...write(self) } },
    { pattern: 'lookup', on: { read: other, ...write(other) } },
    {
      pattern: 'lookup-accessor',
      on: write((request) => {
        const entry = tokens.findAccessor(accessorIn(request))
        if (!entry) throw invalidAccessor()
        return lookup(entry, '')
      }),
    },
    { pattern: 'accessors', sudo: true, on: { list: () => ({ data: { keys: tokens.accessors() } }) } },
  ]
}

function endRoutes(parts: TokenCreation): Route[] {
  const { tokens } = parts
  return [
    ...renewRoutes(parts),
    { pattern: 'revoke-self', on: write(({ token }) => tokens.revokeTree(notBatch(token!))) },
    {
      pattern: 'revoke',
      on: write((request) => {
        const entry = tokens.find(tokenIn(request))
        if (entry) tokens.revokeTree(notBatch(entry))
      }),
    },
    {
      pattern: 'revoke-accessor',
      on: write((request) => {
        const entry = tokens.findAccessor(accessorIn(request))
        if (!entry) return { warnings: ['No token found with this accessor'] }
        return tokens.revokeTree(entry)
      }),
    },
    {
      pattern: 'revoke-orphan',
      sudo: true,
      on: write((request) => {
        const entry = tokens.find(tokenIn(request))
        if (!entry) throw badRequest('token to revoke not found')
        tokens.revokeOrphan(notBatch(entry))
      }),
    },
  ]
}

function renewRoutes({ tokens }: TokenCreation): Route[] {
  const renew = (entry: TokenEntry | undefined, clientToken: string, { fields }: EngineRequest): Reply => {
    if (!entry) throw badRequest('token not found')
    const { ms, warnings } = tokens.renew(entry, fields.durationMs('increment'))
    return { auth: { entry, clientToken, leaseMs: ms }, warnings }
  }
  return [
    { pattern: 'renew-self', on: write((request) => renew(request.token, request.clientToken, request)) },
    {
      pattern: 'renew',
      on: write((request) => renew(tokens.find(tokenIn(request)), tokenIn(request), request)),
    },
    {
      pattern: 'renew-accessor',
      on: write((request) => {
        const entry = tokens.findAccessor(accessorIn(request))
        if (!entry) throw invalidAccessor()
        return renew(entry, '', request)
      }),
    },
  ]
}

function notBatch(entry: TokenEntry): TokenEntry {
  if (entry.kind === 'batch') throw badRequest('batch tokens cannot be revoked')
  return entry
}

function tokenIn({ fields }: EngineRequest): string {
  const id = fields.string('token')
  if (id === '') throw badRequest('missing token ID')
  return id
}

const invalidAccessor = () => badRequest(oneError('invalid accessor'))

function accessorIn({ fields }: EngineRequest): string {
  const accessor = fields.string('accessor')
  if (accessor === '') throw badRequest(oneError('missing accessor'))
  return accessor
}
