import type { Level } from '#lib/runtime'

/** A service that model calls go to, and that `up` can stand in for. */
export type ModelProvider = 'anthropic' | 'openai'

/** What a cluster file says, checked, with every default filled in. */
export interface Cluster {
  name: string
  environment: string
  /** Absolute path of the file. */
  file: string
  /** Realpath of the folder that the file lies in. */
  root: string
  development: { standIn: (ModelProvider | 'postgres')[] }
  agents: Record<string, AgentType>
  /** Declared routes first, in the order of the file; then the built-in ones whose secret exists. */
  models: ModelRoute[]
  secrets: Record<string, Secret>
  alerts: Alerts
}

/** A name with one queue and its workers. */
export interface AgentType {
  name: string
  type: 'thread-bound' | 'singleton'
  isolation: Level
  model?: string
  /** Absolute realpath; absent: the built-in prompt agent. */
  handler?: string
  system?: string
  /** Attempts at once in the whole cluster; 1 for a singleton. */
  maxConcurrency: number
  /** What an attempt may add to its empty context. */
  memoryLimitBytes: number
  timeoutMs: number
  attempts: number
  permissions: ('child-process' | 'worker')[]
  /** The type's own list; {@link usableSecrets} adds the one of its model. */
  secrets: string[]
  mayCall: string[]
  acceptUnsigned: boolean
  trustedCode: boolean
  memoryMaxAgeMs: number
}

/** Which provider serves a model name, and with which secret. */
export interface ModelRoute {
  /** A model name, or its beginning followed by `*`. */
  pattern: string
  provider: ModelProvider
  secret: string
}

/** A named secret: where it is used, how it is delivered and renewed. Never its value. */
export interface Secret {
  name: string
  provider: string
  /** `broker`: the value never enters a context. `value`: an agent may read it. */
  deliver: 'broker' | 'value'
  egress?: Egress
  connect?: Connect
  /** What follows GRANT and stands before TO, one statement each. */
  grant?: string[]
  /** Of a database user; 5 minutes where the file says nothing. */
  ttlMs?: number
  rotate?: Rotation
  /** Of a static secret; see {@link cacheOf} for what holds where the file says nothing. */
  cache?: Partial<SecretCache>
  /** CIDR ranges that its use is expected from. */
  sources?: string[]
}

/** How long a sidecar uses a value. All milliseconds. */
export interface SecretCache {
  /** Before it asks Vault again, at most. */
  freshMs: number
  /** After that, while Vault does not answer. */
  staleMs: number
}

/** Where the broker may carry a secret to, and how. */
export interface Egress {
  /** http or https, no query, no credentials, no slash at its end. */
  baseUrl: string
  /** `name: text`, where `{value}` stands for the secret once. */
  header: string
  /** `METHOD /path`; `*` in a path stands for any characters. */
  allow: string[]
  /** CIDR ranges beside the public internet that the host's address may lie in. */
  networks?: string[]
}

/** The database whose users are leased, or take turns. */
export interface Connect {
  host: string
  port: number
  database: string
  adminSecret: string
  /** Folder of a unix socket; set by `up` only, never by the file. */
  socket?: string
}

/** When a static secret gets a new value. */
export interface Rotation {
  /** `daily`, `weekly`, `monthly`, or five cron fields. */
  every: string
  /** In which part of a day, UTC, the schedule may begin one; over midnight where it ends before it begins. */
  window?: { fromMinute: number; toMinute: number }
  project?: string
  adminSecret?: string
  /** Absolute realpath of the executable that makes and ends its keys. */
  command?: string
  /** Calls that the command answers beside those that each does. */
  also?: ('last-used' | 'disable' | 'identify')[]
  /** An AppRole's name. */
  role?: string
  /** Two login roles of Postgres. */
  roles?: [string, string]
}

/** When an operator is told. */
export interface Alerts {
  /** Of max-concurrency, above 0 up to 100. */
  concurrencyAbovePercent: number
  unexpectedSource: boolean
  rotationFailed: boolean
  /** Where alerts are posted; absent: they are only shown. */
  webhook?: string
}
