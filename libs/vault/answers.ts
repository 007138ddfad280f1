import * as z from 'zod'

/** Seconds on the wire, milliseconds here. */
const secondsAsMs = z.number().transform((seconds) => seconds * 1000)
const strings = z.record(z.string(), z.string()).nullish()

/** What a login, mint or renewal gives: a token and how long it lives. */
export interface VaultAuth {
  token: string
  accessor: string
  policies: string[]
  ttlMs: number
  renewable: boolean
}
export const AuthAnswer = z
  .object({
    auth: z.object({
      client_token: z.string(),
      accessor: z.string().default(''),
      policies: z.array(z.string()).nullish(),
      lease_duration: secondsAsMs,
      renewable: z.boolean(),
    }),
  })
  .transform(({ auth }): VaultAuth => ({
    token: auth.client_token,
    accessor: auth.accessor,
    policies: auth.policies ?? [],
    ttlMs: auth.lease_duration,
    renewable: auth.renewable,
  }))

/** What Vault knows of a token. Never the token itself. */
export interface TokenInfo {
  accessor: string
  policies: string[]
  ttlMs: number
  path: string
  meta: Record<string, string>
}
export const TokenInfoAnswer = z
  .object({
    data: z.object({
      accessor: z.string(),
      policies: z.array(z.string()).nullish(),
      ttl: secondsAsMs,
      path: z.string().default(''),
      meta: strings,
    }),
  })
  .transform(({ data }): TokenInfo => ({
    accessor: data.accessor,
    policies: data.policies ?? [],
    ttlMs: data.ttl,
    path: data.path,
    meta: data.meta ?? {},
  }))

/** One version of a KV v2 entry. */
export interface KvEntry {
  data: Record<string, unknown>
  /** From 1; our generation. */
  version: number
  /** By which Vault's own audit log knows the request. */
  requestId?: string | undefined
  /** What operators noted beside the values, the same for every version. */
  notes?: Record<string, string>
}
const requestId = z.string().optional()
export const KvAnswer = z
  .object({
    request_id: requestId,
    data: z.object({
      data: z.record(z.string(), z.unknown()),
      metadata: z.object({
        version: z.number(),
        custom_metadata: z.record(z.string(), z.string()).nullish(),
      }),
    }),
  })
  .transform(({ request_id, data: { data, metadata } }): KvEntry => {
    const { version, custom_metadata: notes } = metadata
    return { data, version, requestId: request_id, ...(notes && { notes }) }
  })
export const KvWriteAnswer = z
  .object({ data: z.object({ version: z.number() }) })
  .transform(({ data }) => data.version)

/** A database user that Vault made, and its lease. */
export interface DatabaseCredentials {
  username: string
  password: string
  leaseId: string
  ttlMs: number
  renewable: boolean
  /** By which Vault's own audit log knows the request. */
  requestId?: string | undefined
}
export const CredentialsAnswer = z
  .object({
    request_id: requestId,
    lease_id: z.string(),
    lease_duration: secondsAsMs,
    renewable: z.boolean(),
    data: z.object({ username: z.string(), password: z.string() }),
  })
  .transform((reply): DatabaseCredentials => ({
    username: reply.data.username,
    password: reply.data.password,
    leaseId: reply.lease_id,
    ttlMs: reply.lease_duration,
    renewable: reply.renewable,
    requestId: reply.request_id,
  }))

/** A lease after its renewal. */
export interface LeaseInfo {
  leaseId: string
  ttlMs: number
  renewable: boolean
}
export const LeaseAnswer = z
  .object({ lease_id: z.string(), lease_duration: secondsAsMs, renewable: z.boolean() })
  .transform((reply): LeaseInfo => ({
    leaseId: reply.lease_id,
    ttlMs: reply.lease_duration,
    renewable: reply.renewable,
  }))

/** An answer that Vault put into a single-use token. */
export interface Wrapped {
  token: string
  accessor: string
  ttlMs: number
  creationPath: string
}
export const WrappedAnswer = z
  .object({
    wrap_info: z.object({
      token: z.string(),
      accessor: z.string().default(''),
      ttl: secondsAsMs,
      creation_path: z.string(),
    }),
  })
  .transform(({ wrap_info: info }): Wrapped => ({
    token: info.token,
    accessor: info.accessor,
    ttlMs: info.ttl,
    creationPath: info.creation_path,
  }))

/** Where a wrapping token comes from. */
export interface WrapInfo {
  creationPath: string
  creationTtlMs: number
}
export const WrapLookupAnswer = z
  .object({ data: z.object({ creation_path: z.string(), creation_ttl: secondsAsMs }) })
  .transform(({ data }): WrapInfo => ({
    creationPath: data.creation_path,
    creationTtlMs: data.creation_ttl,
  }))

/** State of a Vault node. */
export interface Health {
  initialized: boolean
  sealed: boolean
  standby: boolean
  version: string
}
export const HealthAnswer = z.object({
  initialized: z.boolean(),
  sealed: z.boolean(),
  standby: z.boolean().default(false),
  version: z.string().default(''),
})

/** Whatever Vault answers, none of it is used. */
export const AnyAnswer = z.unknown().transform(() => undefined)
/** `data` as it is. */
export const DataAnswer = z.object({ data: z.record(z.string(), z.unknown()) }).transform(({ data }) => data)
