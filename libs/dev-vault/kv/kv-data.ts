import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest, nothingThere } from '../errors.ts'
import { Fields } from '../fields.ts'
import { isoTime } from '../tokens/token-replies.ts'
import type { KvState } from './kv-engine.ts'
import { addVersion, checkCas, deletionTime, newSecret, type KvSecret, type KvVersion } from './kv-secret.ts'
import { mergePatch, namesAlone } from './merge-patch.ts'

/** `data/`, `subkeys/` and the three routes that change chosen versions. */
export function dataRoutes(state: KvState): Route[] {
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
    { pattern: 'subkeys/*path', on: { read: (request) => readNames(state, request) } },
    {
      pattern: 'delete/*path',
      on: write((request) => changeVersions(state, request, 'No version number provided', softDelete)),
    },
    {
      pattern: 'undelete/*path',
      on: write((request) => changeVersions(state, request, 'No version number provided', undelete)),
    },
    {
      pattern: 'destroy/*path',
      on: write((request) => changeVersions(state, request, 'no version number provided', destroy)),
    },
  ]
}

function readData(state: KvState, request: EngineRequest): Reply {
  const { version, metadata, isGone } = chosenVersion(state, request)
  return isGone ? { data: { data: null, metadata }, status: 404 } : { data: { data: version.data, metadata } }
}

/** The names of a secret without its values, down to `depth`; 0 is all. */
function readNames(state: KvState, request: EngineRequest): Reply {
  const { version, metadata, isGone } = chosenVersion(state, request)
  const depth = request.fields.integer('depth')
  if (isGone) return { data: { metadata, subkeys: null }, status: 404 }
  return { data: { metadata, subkeys: namesAlone(version.data!, depth > 0 ? depth : Infinity) } }
}

/** @throws VaultRefusal 404 */
function chosenVersion(state: KvState, { params, fields }: EngineRequest) {
  const secret = state.secrets.get(params['path']!)
  const asked = fields.integer('version')
  const number = asked > 0 ? asked : (secret?.current ?? 0)
  const version = secret?.versions.get(number)
  if (!secret || !version) throw nothingThere()
  const metadata = versionMetadata(secret, version, number)
  return { version, metadata, isGone: isGone(version, state.clock.now()) }
}

function writeData(state: KvState, { params, fields }: EngineRequest): Reply {
  const data = fields.object('data')
  if (!data) throw badRequest('no data provided')
  const secret = state.secrets.get(params['path']!)
  checkCas(secret, casIn(fields), state.casRequired)
  return store(state, params['path']!, data)
}

function patchData(state: KvState, { params, fields }: EngineRequest): Reply {
  const patch = fields.object('data')
  if (!patch) throw badRequest('no data provided')
  const secret = state.secrets.get(params['path']!)
  if (!secret) throw nothingThere()
  checkCas(secret, casIn(fields), state.casRequired)
  const version = secret.versions.get(secret.current)
  if (!version) throw nothingThere()
  if (isGone(version, state.clock.now()))
    return { data: versionMetadata(secret, version, secret.current), status: 404 }
  return store(state, params['path']!, mergePatch(version.data, patch) as Record<string, unknown>)
}

function casIn(fields: Fields): number | undefined {
  const options = new Fields(new Map(Object.entries(fields.object('options') ?? {})))
  return options.has('cas') ? options.integer('cas') : undefined
}

function store(state: KvState, path: string, data: Record<string, unknown>): Reply {
  const now = state.clock.now()
  const secret = state.secrets.get(path) ?? newSecret(now)
  const version = addVersion(secret, data, {
    now,
    mountMax: state.maxVersions,
    mountDeleteAfterMs: state.deleteAfterMs,
  })
  state.secrets.set(path, secret)
  return { data: versionMetadata(secret, version, secret.current) }
}

function deleteLatest(state: KvState, { params }: EngineRequest): undefined {
  const secret = state.secrets.get(params['path']!)
  const version = secret?.versions.get(secret.current)
  if (version) softDelete(version, { state, secret: secret! })
}

type Change = (version: KvVersion, at: { state: KvState; secret: KvSecret }) => void

/** What does not exist is passed over, as in Vault. */
function changeVersions(
  state: KvState,
  { params, fields }: EngineRequest,
  noVersions: string,
  change: Change,
): undefined {
  const numbers = fields.list('versions').map(Number)
  if (numbers.length === 0) throw badRequest(noVersions)
  if (!numbers.every(Number.isSafeInteger)) throw badRequest('versions must be numbers')
  const secret = state.secrets.get(params['path']!)
  for (const number of numbers) {
    const version = secret?.versions.get(number)
    if (version && !version.destroyed) change(version, { state, secret: secret! })
  }
}

const softDelete: Change = (version, { state }) => {
  const now = state.clock.now()
  if (!version.destroyed && (version.deletedAt === 0 || version.deletedAt > now)) version.deletedAt = now
}
const undelete: Change = (version, { state, secret }) => {
  version.deletedAt = deletionTime(state.clock.now(), state.deleteAfterMs, secret.deleteAfterMs)
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
