import type { Clock } from '#lib/runtime'
import { write, type Engine, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'
import { metadataRoutes } from './kv-metadata.ts'
import { addVersion, checkCas, mergePatch, newSecret, type KvSecret, type KvVersion } from './kv-secret.ts'

/** What all routes of one mount share. */
export interface KvState {
  clock: Clock
  secrets: Map<string, KvSecret>
  maxVersions: number
  casRequired: boolean
}

/** A KV version 2 mount. */
export function kvEngine(clock: Clock): Engine {
  const state: KvState = { clock, secrets: new Map(), maxVersions: 0, casRequired: false }
  return { type: 'kv', routes: [configRoute(state), ...dataRoutes(state), ...metadataRoutes(state)] }
}

function configRoute(state: KvState): Route {
  return {
    pattern: 'config',
    on: {
      read: () => ({
        data: {
          cas_required: state.casRequired,
          delete_version_after: '0s',
          max_versions: state.maxVersions,
        },
      }),
      ...write(({ fields }) => {
        state.maxVersions = fields.integer('max_versions', state.maxVersions)
        state.casRequired = fields.boolean('cas_required', state.casRequired)
        return undefined
      }),
    },
  }
}

function dataRoutes(state: KvState): Route[] {
  return [
    {
      pattern: 'data/*path',
      exists: ({ path }) => state.secrets.has(path!),
      on: {
        read: (request) => readData(state, request),
        ...write((request) => writeData(state, request)),
        patch: (request) => patchData(state, request),
        delete: (request) => deleteLatest(state, request),
      },
    },
    { pattern: 'delete/*path', on: write((request) => changeVersions(state, request, softDelete)) },
    { pattern: 'undelete/*path', on: write((request) => changeVersions(state, request, undelete)) },
    { pattern: 'destroy/*path', on: write((request) => changeVersions(state, request, destroy)) },
  ]
}

function readData(state: KvState, { params, fields }: EngineRequest): Reply {
  const secret = state.secrets.get(params['path']!)
  const number = fields.integer('version') || secret?.current || 0
  const version = secret?.versions.get(number)
  if (!secret || !version) throw nothingThere()
  const gone = isGone(version, state.clock.now())
  const metadata = versionMetadata(secret, version, number)
  return gone ? { data: { data: null, metadata }, status: 404 } : { data: { data: version.data, metadata } }
}

function writeData(state: KvState, { params, fields }: EngineRequest): Reply {
  const data = fields.object('data')
  if (!data) throw badRequest('no data provided')
  return store(state, params['path']!, { data, fields })
}

function patchData(state: KvState, { params, fields }: EngineRequest): Reply {
  const patch = fields.object('data')
  if (!patch) throw badRequest('no data provided')
  const secret = state.secrets.get(params['path']!)
  const version = secret?.versions.get(secret.current)
  if (!version || isGone(version, state.clock.now())) throw nothingThere()
  const data = mergePatch(version.data, patch) as Record<string, unknown>
  return store(state, params['path']!, { data, fields })
}

function store(
  state: KvState,
  path: string,
  { data, fields }: { data: Record<string, unknown>; fields: Fields },
): Reply {
  const secret = state.secrets.get(path)
  const options = new Fields(new Map(Object.entries(fields.object('options') ?? {})))
  checkCas(secret, options.has('cas') ? options.integer('cas') : undefined, state.casRequired)
  const now = state.clock.now()
  const target = secret ?? newSecret(now)
  const version = addVersion(target, data, { now, mountMax: state.maxVersions })
  state.secrets.set(path, target)
  return { data: versionMetadata(target, version, target.current) }
}

function deleteLatest(state: KvState, { params }: EngineRequest): undefined {
  const secret = state.secrets.get(params['path']!)
  const version = secret?.versions.get(secret.current)
  if (version) softDelete(version, state.clock.now())
}

type Change = (version: KvVersion, now: number) => void

function changeVersions(state: KvState, { params, fields }: EngineRequest, change: Change): undefined {
  const numbers = fields.list('versions').map(Number)
  if (numbers.length === 0) throw badRequest('no version number provided')
  if (!numbers.every(Number.isSafeInteger)) throw badRequest('versions must be numbers')
  const secret = state.secrets.get(params['path']!)
  if (!secret) throw nothingThere()
  for (const number of numbers) {
    const version = secret.versions.get(number)
    if (version) change(version, state.clock.now())
  }
}

const softDelete: Change = (version, now) => {
  if (!version.destroyed && (version.deletedAt === 0 || version.deletedAt > now)) version.deletedAt = now
}
const undelete: Change = (version) => {
  if (!version.destroyed) version.deletedAt = 0
}
const destroy: Change = (version) => {
  version.destroyed = true
  version.data = null
}

function isGone(version: KvVersion, now: number): boolean {
  return version.destroyed || (version.deletedAt > 0 && version.deletedAt <= now)
}

function versionMetadata(secret: KvSecret, version: KvVersion, number: number): Record<string, unknown> {
  return {
    created_time: isoTime(version.createdAt),
    custom_metadata: secret.custom,
    deletion_time: version.deletedAt ? isoTime(version.deletedAt) : '',
    destroyed: version.destroyed,
    version: number,
  }
}
