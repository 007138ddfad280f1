import { goDuration } from '../durations.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere, oneError } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'
import type { KvState } from './kv-engine.ts'
import { mergePatch } from './merge-patch.ts'
import { newSecret, type KvSecret } from './kv-secret.ts'

/** `metadata/`: rules and history of secrets, without their values; and the list of names. */
export function metadataRoutes(state: KvState): Route[] {
  const list = ({ params }: EngineRequest) => listNames(state, params['path'] ?? '')
  return [
    { pattern: 'metadata', on: { list } },
    {
      pattern: 'metadata/*path',
      exists: ({ path }) => state.secrets.has(path!),
      on: {
        list,
        read: ({ params }) => ({ data: describe(existing(state, params['path']!)) }),
        ...write((request) => writeMetadata(state, request)),
        patch: (request) => patchMetadata(state, request),
        delete: ({ params }) => void state.secrets.delete(params['path']!),
      },
    },
  ]
}

function existing(state: KvState, path: string): KvSecret {
  const secret = state.secrets.get(path)
  if (!secret) throw nothingThere()
  return secret
}

/** The names directly below a folder; folders end with a slash. */
function listNames(state: KvState, folder: string): Reply {
  const prefix = folder === '' ? '' : `${folder}/`
  const keys = new Set<string>()
  for (const path of state.secrets.keys()) {
    if (!path.startsWith(prefix)) continue
    const rest = path.slice(prefix.length)
    const slash = rest.indexOf('/')
    keys.add(slash < 0 ? rest : rest.slice(0, slash + 1))
  }
  if (keys.size === 0) throw nothingThere()
  return { data: { keys: [...keys].toSorted() } }
}

const RULES = ['max_versions', 'cas_required', 'delete_version_after', 'custom_metadata']
const saysNothing = ({ fields }: EngineRequest) => !RULES.some((name) => fields.has(name))

/** A write replaces custom metadata whole. Without a rule in it, it makes nothing. */
function writeMetadata(state: KvState, request: EngineRequest): Reply | undefined {
  if (saysNothing(request)) return undefined
  const { params, fields } = request
  const path = params['path']!
  const secret = state.secrets.get(path) ?? newSecret(state.clock.now())
  apply(
    secret,
    fields,
    fields.has('custom_metadata') ? checkCustom(fields.stringMap('custom_metadata')) : secret.custom,
  )
  secret.updatedAt = state.clock.now()
  state.secrets.set(path, secret)
  return ignoredCas(state, fields)
}

/** A patch merges custom metadata: null takes a key away. */
function patchMetadata(state: KvState, request: EngineRequest): Reply | undefined {
  if (saysNothing(request)) return undefined
  const { params, fields } = request
  const secret = existing(state, params['path']!)
  const patch = fields.object('custom_metadata')
  apply(secret, fields, patch ? patchedCustom(secret.custom, patch) : secret.custom)
  secret.updatedAt = state.clock.now()
  return ignoredCas(state, fields)
}

function ignoredCas(state: KvState, fields: Fields): Reply | undefined {
  if (!state.casRequired || !fields.has('cas_required') || fields.boolean('cas_required')) return undefined
  const warning =
    '"cas_required" set to false, but is mandated by backend config. This value will be ignored.'
  return { warnings: [warning] }
}

function apply(secret: KvSecret, fields: Fields, custom: Record<string, string> | null): void {
  const maxVersions = fields.integer('max_versions', secret.maxVersions)
  if (maxVersions < 0) throw badRequest('max_versions cannot be negative')
  const deleteAfterMs = fields.durationMs('delete_version_after', secret.deleteAfterMs)
  secret.casRequired = fields.boolean('cas_required', secret.casRequired)
  const isEmpty = custom !== null && Object.keys(custom).length === 0
  Object.assign(secret, { maxVersions, custom: isEmpty ? null : custom, deleteAfterMs })
}

function patchedCustom(before: Record<string, string> | null, patch: object): Record<string, string> {
  const given = Object.entries(patch).filter(([, value]) => value !== null)
  checkCustom(Object.fromEntries(given.map(([key, value]) => [key, String(value)])))
  const merged = mergePatch(before ?? {}, patch) as Record<string, unknown>
  return checkCustom(Object.fromEntries(Object.entries(merged).map(([key, value]) => [key, String(value)])))
}

const refuse = (problem: string) => badRequest(oneError(`custom_metadata validation failed: ${problem}`))

/** The texts are Vault's; the first problem alone is told. */
function checkCustom(custom: Record<string, string>): Record<string, string> {
  const entries = Object.entries(custom)
  if (entries.length > 64) throw refuse(`payload must contain at most 64 keys, provided ${entries.length}`)
  for (const [key, value] of entries) {
    if (key.length === 0 || key.length > 128)
      throw refuse(`length of key "${key}" is ${key.length} but must be 0 < len(key) <= 128`)
    if (value.length === 0 || value.length > 512)
      throw refuse(`length of value for key "${key}" is ${value.length} but must be 0 < len(value) <= 512`)
    if (/\p{C}/u.test(key) || /\p{C}/u.test(value))
      throw refuse('a key or value contains unprintable characters')
  }
  return custom
}

function describe(secret: KvSecret): Record<string, unknown> {
  const versions = [...secret.versions].map(([number, version]) => [
    number,
    {
      created_time: isoTime(version.createdAt),
      deletion_time: version.deletedAt ? isoTime(version.deletedAt) : '',
      destroyed: version.destroyed,
    },
  ])
  return {
    cas_required: secret.casRequired,
    created_time: isoTime(secret.createdAt),
    current_version: secret.current,
    custom_metadata: secret.custom,
    delete_version_after: goDuration(secret.deleteAfterMs),
    max_versions: secret.maxVersions,
    oldest_version: secret.versions.keys().next().value ?? 0,
    updated_time: isoTime(secret.updatedAt),
    versions: Object.fromEntries(versions),
  }
}
