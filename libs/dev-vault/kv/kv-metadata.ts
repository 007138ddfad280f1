import { goDuration } from '../durations.ts'
import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import type { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'
import type { KvState } from './kv-engine.ts'
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
        ...write(({ params, fields }) => {
          const path = params['path']!
          const secret = state.secrets.get(path) ?? newSecret(state.clock.now())
          apply(secret, fields)
          state.secrets.set(path, secret)
          return undefined
        }),
        patch: ({ params, fields }) => apply(existing(state, params['path']!), fields),
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

function apply(secret: KvSecret, fields: Fields): void {
  const maxVersions = fields.integer('max_versions', secret.maxVersions)
  if (maxVersions < 0) throw badRequest('max_versions cannot be negative')
  const custom = fields.has('custom_metadata') ? checkCustom(fields) : secret.custom
  const deleteAfterMs = fields.durationMs('delete_version_after', secret.deleteAfterMs)
  secret.casRequired = fields.boolean('cas_required', secret.casRequired)
  Object.assign(secret, { maxVersions, custom, deleteAfterMs })
}

function checkCustom(fields: Fields): Record<string, string> {
  const custom = fields.stringMap('custom_metadata')
  const entries = Object.entries(custom)
  if (entries.length > 64) throw badRequest('custom_metadata validation failed: more than 64 keys')
  for (const [key, value] of entries)
    if (key.length === 0 || key.length > 128 || value.length > 512)
      throw badRequest('custom_metadata validation failed: a key has 1 to 128, a value up to 512 characters')
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
