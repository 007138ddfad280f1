import { parseDurationMs } from '#lib/runtime'
import { BUILT_IN } from './builtin.ts'
import type { Cluster, ModelRoute, Secret, SecretCache } from './model.ts'

/** The route that serves a model: the first whose pattern is the name itself, else the first that matches. */
export function modelRoute(cluster: Pick<Cluster, 'models'>, model: string): ModelRoute | undefined {
  return matchRoute(cluster.models, model)
}

/** As {@link modelRoute}, over a list of routes. */
export function matchRoute(routes: readonly ModelRoute[], model: string): ModelRoute | undefined {
  return (
    routes.find(({ pattern }) => pattern === model) ?? routes.find(({ pattern }) => matches(pattern, model))
  )
}

/** The names of all secrets that an agent type may use: its own list and its model's, sorted, each once. */
export function usableSecrets(cluster: Pick<Cluster, 'agents' | 'models'>, agentType: string): string[] {
  if (!Object.hasOwn(cluster.agents, agentType)) return []
  const { secrets, model } = cluster.agents[agentType]!
  const served = model === undefined ? undefined : modelRoute(cluster, model)
  return [...new Set([...secrets, ...(served ? [served.secret] : [])])].toSorted()
}

/** `database`: one user per attempt, made by Vault. `static`: one value, stored in Vault. */
export function secretKind(secret: Pick<Secret, 'provider'>): 'static' | 'database' {
  return secret.provider === 'postgres' ? 'database' : 'static'
}

/** How long a sidecar may use a value of a static secret. */
export function cacheOf({ cache }: Pick<Secret, 'cache'>): SecretCache {
  return { ...DEFAULT_CACHE, ...cache }
}

const DEFAULT_CACHE: SecretCache = {
  freshMs: parseDurationMs(BUILT_IN.secretFresh)!,
  staleMs: parseDurationMs(BUILT_IN.secretStale)!,
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') && model.startsWith(pattern.slice(0, -1))
}
