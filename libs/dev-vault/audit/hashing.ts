import type { AuditAuth, AuditEntry } from './audit-entry.ts'

/** How a device hides values. */
export interface Hashing {
  /** Undefined leaves all in clear. */
  hmac: ((value: string) => string) | undefined
  accessors: boolean
  /** Lists in responses become their lengths. */
  elideLists: boolean
}

/**
 * An entry as a device writes it: tokens, accessors and every string in the data of request and response hashed;
 * numbers, booleans, keys, paths, names and metadata in clear.
 */
export function hashed(entry: AuditEntry, hashing: Hashing): AuditEntry {
  const { hmac, accessors } = hashing
  const elided = hashing.elideLists && entry.request.operation === 'list' ? withoutLists(entry) : entry
  if (!hmac) return elided
  const accessor = (value: string) => (accessors && value !== '' ? hmac(value) : value)
  const auth = (value: AuditAuth) => ({
    ...value,
    ...(value.client_token && { client_token: hmac(value.client_token) }),
    ...(value.accessor && { accessor: accessor(value.accessor) }),
  })
  const { request, response } = elided
  return {
    ...elided,
    auth: auth(elided.auth),
    request: {
      ...request,
      ...(request.client_token && { client_token: hmac(request.client_token) }),
      ...(request.client_token_accessor && {
        client_token_accessor: accessor(request.client_token_accessor),
      }),
      ...(request.data && { data: hashStrings(request.data, hmac) }),
    },
    ...(response && {
      response: {
        ...response,
        ...(response.auth && { auth: auth(response.auth) }),
        ...(response.data && { data: hashStrings(response.data, hmac) }),
        ...(response.wrap_info && {
          wrap_info: {
            ...response.wrap_info,
            token: hmac(response.wrap_info.token),
            accessor: accessor(response.wrap_info.accessor),
            ...(response.wrap_info.wrapped_accessor && {
              wrapped_accessor: accessor(response.wrap_info.wrapped_accessor),
            }),
          },
        }),
      },
    }),
  }
}

type Data = Record<string, unknown>

function hashStrings(data: Data, hmac: (value: string) => string): Data {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return hmac(value)
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item)]))
  }
  return walk(data) as Data
}

function withoutLists(entry: AuditEntry): AuditEntry {
  const data = entry.response?.data
  if (!data) return entry
  const elided = { ...data }
  if (Array.isArray(data['keys'])) elided['keys'] = data['keys'].length
  return { ...entry, response: { ...entry.response, data: elided } }
}
