import type { Clock } from '#lib/runtime'
import { goDuration } from '../durations.ts'
import { write, type Engine, type EngineRequest, type Operation, type Reply, type Route } from '../engine.ts'
import { badRequest } from '../errors.ts'
import { dataRoutes } from './kv-data.ts'
import { metadataRoutes } from './kv-metadata.ts'
import type { KvSecret } from './kv-secret.ts'

/** What all routes of one mount share, and its rules. */
export interface KvState {
  clock: Clock
  secrets: Map<string, KvSecret>
  /** 0 is the default of 10. */
  maxVersions: number
  casRequired: boolean
  /** 0 is never; below 0, no secret's own rule counts either. */
  deleteAfterMs: number
}

/** A KV version 2 mount. */
export function kvEngine(clock: Clock): Engine {
  const state: KvState = {
    clock,
    secrets: new Map(),
    maxVersions: 0,
    casRequired: false,
    deleteAfterMs: 0,
  }
  return {
    type: 'kv',
    routes: [configRoute(state), ...dataRoutes(state), ...metadataRoutes(state), ...INVALID_PATHS],
    save: () => ({ ...state, clock: undefined }),
    load: (saved) => void Object.assign(state, saved as Omit<KvState, 'clock'>, { clock }),
  }
}

function configRoute(state: KvState): Route {
  return {
    pattern: 'config',
    on: {
      read: () => ({
        data: {
          cas_required: state.casRequired,
          delete_version_after: goDuration(state.deleteAfterMs),
          max_versions: state.maxVersions,
        },
      }),
      ...write(({ fields }) => {
        const maxVersions = fields.integer('max_versions', state.maxVersions)
        if (maxVersions < 0) throw badRequest('max_versions cannot be negative')
        const deleteAfterMs = fields.signedDurationMs('delete_version_after', state.deleteAfterMs)
        state.casRequired = fields.boolean('cas_required', state.casRequired)
        state.maxVersions = maxVersions
        state.deleteAfterMs = deleteAfterMs < 0 ? -1000 : deleteAfterMs
        return undefined
      }),
    },
  }
}

const SUBCOMMANDS: Record<Operation, string> = {
  read: 'get',
  head: 'get',
  list: 'list',
  create: 'put',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
}

const INVALID: Route['on'] = {
  read: invalidPath,
  list: invalidPath,
  ...write(invalidPath),
  patch: invalidPath,
  delete: invalidPath,
}

/** What version 1 would answer: 404, with a warning that says what is wrong. */
const INVALID_PATHS: Route[] = [
  { pattern: '', on: INVALID },
  { pattern: '(?<folder>metadata)', on: INVALID },
  { pattern: ':folder', isFallback: true, on: INVALID },
  { pattern: '*path', isFallback: true, on: INVALID },
]

function invalidPath({ params, operation }: EngineRequest): Reply {
  const isRoot = ['metadata', 'data', 'delete', 'undelete', 'destroy'].includes(params['folder'] ?? '')
  const warning = isRoot
    ? 'Non-listing operations on the root of a K/V v2 mount are not supported.'
    : `Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv ${SUBCOMMANDS[operation]}' for this operation.`
  return { status: 404, warnings: [warning] }
}
