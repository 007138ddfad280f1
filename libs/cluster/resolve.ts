import { parseDurationMs, parseSizeBytes } from '#lib/runtime'
import { BUILT_IN, BUILT_IN_ROUTES, BUILT_IN_SECRETS, PROVIDER_EGRESS } from './builtin.ts'
import type {
  AgentType,
  Alerts,
  Cluster,
  Egress,
  ModelProvider,
  ModelRoute,
  Rotation,
  Secret,
} from './model.ts'
import { matchRoute } from './routes.ts'
import type { AgentContent, FileContent, SecretContent } from './schema/file.ts'

/** Where a file lies, and where what it names was found. */
export interface Location {
  file: string
  root: string
  /** Absolute realpath by agent type. */
  handlers: ReadonlyMap<string, string>
  /** The same of commands, by secret. */
  commands: ReadonlyMap<string, string>
}

/** Fills in every default: built in < `defaults` < `thread-bound-agents` < the agent type's own. */
export function resolveCluster(content: FileContent, { file, root, handlers, commands }: Location): Cluster {
  return {
    name: content.cluster ?? BUILT_IN.cluster,
    environment: content.environment ?? BUILT_IN.environment,
    file,
    root,
    development: { standIn: [...new Set(content.development?.['stand-in'])] },
    agents: mapValues(content.agents, (agent, name) =>
      resolveAgent(content, { agent, name, handler: handlers.get(name) }),
    ),
    models: routesOf(content),
    secrets: secretsOf(content, commands),
    alerts: resolveAlerts(content.alerts),
  }
}

/** The settings of an agent type after merging the defaults, as the file would write them. */
export function settingsOf(content: FileContent, agent: AgentContent) {
  const bound = (agent.type ?? BUILT_IN.type) === 'thread-bound' ? content['thread-bound-agents'] : undefined
  const layers = [content.defaults ?? {}, bound ?? {}, agent]
  const memory = Object.assign({}, ...layers.map((layer) => layer.memory))
  return { ...layers[0], ...bound, ...agent, memory } as AgentContent
}

/** Declared routes in the order of the file, then the built-in ones whose secret exists. */
function routesOf(content: FileContent): ModelRoute[] {
  const declared = declaredRoutes(content)
  const secrets = secretNames(content)
  const builtIn = BUILT_IN_ROUTES.filter((route) => !Object.hasOwn(content.models ?? {}, route.pattern))
  return [...declared, ...builtIn.filter((route) => secrets.has(route.secret)).map((route) => ({ ...route }))]
}

/** Every route that a model name could take, whether or not its secret exists yet. */
export function possibleRoutes(content: FileContent): ModelRoute[] {
  const builtIn = BUILT_IN_ROUTES.filter((route) => !Object.hasOwn(content.models ?? {}, route.pattern))
  return [...declaredRoutes(content), ...builtIn]
}

/** A secret with what follows from its provider. */
export function resolveSecret(name: string, content: SecretContent, command?: string): Secret {
  const builtInEgress = Object.hasOwn(PROVIDER_EGRESS, content.provider)
    ? PROVIDER_EGRESS[content.provider as ModelProvider]
    : undefined
  const written = content.egress
  const egress = written ? resolveEgress(written) : structuredClone(builtInEgress)
  const isDatabase = content.provider === 'postgres'
  return defined<Secret>({
    name,
    provider: content.provider,
    deliver: content.deliver ?? (egress ? 'broker' : 'value'),
    egress,
    connect: content.connect && resolveConnect(content.connect),
    grant: content.grant,
    ttlMs: content.ttl ?? (isDatabase ? parseDurationMs(BUILT_IN.databaseTtl) : undefined),
    rotate: content.rotate && resolveRotation(content.rotate, command),
    cache: content.cache && defined({ freshMs: content.cache.fresh, staleMs: content.cache.stale }),
    sources: content.sources,
  })
}

function resolveAgent(
  content: FileContent,
  { agent, name, handler }: { agent: AgentContent; name: string; handler: string | undefined },
): AgentType {
  const settings = settingsOf(content, agent)
  const type = settings.type ?? BUILT_IN.type
  return defined<AgentType>({
    name,
    type,
    isolation: settings.isolation ?? BUILT_IN.isolation,
    model: settings.model,
    handler,
    system: settings.system,
    maxConcurrency: type === 'singleton' ? 1 : (settings['max-concurrency'] ?? BUILT_IN.maxConcurrency),
    memoryLimitBytes: settings['memory-limit'] ?? parseSizeBytes(BUILT_IN.memoryLimit)!,
    timeoutMs: settings.timeout ?? parseDurationMs(BUILT_IN.timeout)!,
    attempts: settings.attempts ?? BUILT_IN.attempts,
    permissions: [...new Set(settings.permissions)],
    secrets: [...new Set(settings.secrets)],
    mayCall: [...new Set(settings['may-call'])],
    acceptUnsigned: settings['accept-unsigned'] ?? false,
    trustedCode: settings['trusted-code'] ?? false,
    memoryMaxAgeMs: settings.memory?.['max-age'] ?? parseDurationMs(BUILT_IN.maxAge)!,
  })
}

function declaredRoutes(content: FileContent): ModelRoute[] {
  return Object.entries(content.models ?? {}).map(([pattern, { provider, secret }]) => ({
    pattern,
    provider,
    secret,
  }))
}

function secretsOf(content: FileContent, commands: Location['commands']): Record<string, Secret> {
  const declared = mapValues(content.secrets, (secret, name) =>
    resolveSecret(name, secret, commands.get(name)),
  )
  for (const name of secretNames(content))
    if (!Object.hasOwn(declared, name)) declared[name] = structuredClone(BUILT_IN_SECRETS[name]!)
  return declared
}

/** Declared secrets, and the built-in ones that an agent type or a declared route needs. */
function secretNames(content: FileContent): Set<string> {
  const routes = possibleRoutes(content)
  const agents = Object.values(content.agents ?? {})
  const served = agents.flatMap((agent) => (agent.model && matchRoute(routes, agent.model)?.secret) || [])
  const needed = [
    ...served,
    ...agents.flatMap((agent) => agent.secrets ?? []),
    ...declaredRoutes(content).map((r) => r.secret),
  ]
  const builtIn = needed.filter((name) => Object.hasOwn(BUILT_IN_SECRETS, name))
  return new Set([...Object.keys(content.secrets ?? {}), ...builtIn])
}

function resolveEgress(egress: NonNullable<SecretContent['egress']>): Egress {
  const { 'base-url': baseUrl, header, allow, networks } = egress
  return defined<Egress>({ baseUrl, header, allow, networks })
}

function resolveConnect(connect: NonNullable<SecretContent['connect']>) {
  const { host, port = BUILT_IN.postgresPort, database } = connect
  return { host, port, database, adminSecret: connect['admin-secret'] }
}

function resolveRotation(rotate: NonNullable<SecretContent['rotate']>, command?: string): Rotation {
  return defined<Rotation>({
    every: rotate.every,
    window: rotate.window,
    project: rotate.project,
    adminSecret: rotate['admin-secret'],
    command,
    also: rotate.also,
    role: rotate.role,
    roles: rotate.roles,
  })
}

function resolveAlerts(alerts: FileContent['alerts']): Alerts {
  return defined<Alerts>({
    concurrencyAbovePercent: alerts?.['concurrency-above'] ?? Number.parseFloat(BUILT_IN.concurrencyAbove),
    unexpectedSource: alerts?.['unexpected-source'] ?? true,
    rotationFailed: alerts?.['rotation-failed'] ?? true,
    webhook: alerts?.webhook,
  })
}

/** The object without the keys that are undefined. */
function defined<T extends object>(object: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}

/** A record without a prototype, so that no name finds anything but its own entry. */
function mapValues<V, W>(
  record: Record<string, V> | undefined,
  make: (value: V, key: string) => W,
): Record<string, W> {
  const result = Object.create(null) as Record<string, W>
  for (const [key, value] of Object.entries(record ?? {})) result[key] = make(value, key)
  return result
}
