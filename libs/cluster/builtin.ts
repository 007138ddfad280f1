import type { Level } from '#lib/runtime'
import type { Egress, ModelProvider, ModelRoute, Secret } from './model.ts'

/** What holds where neither the file nor its defaults say anything. Texts as they would be written in the file. */
export const BUILT_IN = {
  cluster: 'default',
  environment: 'dev',
  type: 'thread-bound',
  isolation: 'namespace' satisfies Level as Level,
  maxConcurrency: 50,
  memoryLimit: '50MB',
  timeout: '30s',
  attempts: 3,
  maxAge: '1h',
  databaseTtl: '5m',
  secretFresh: '5m',
  secretStale: '15m',
  postgresPort: 5432,
  concurrencyAbove: '90%',
} as const

/** Where the key of a model provider goes. */
export const PROVIDER_EGRESS: Record<ModelProvider, Egress> = {
  anthropic: {
    baseUrl: 'https://api.anthropic.com',
    header: 'x-api-key: {value}',
    allow: ['POST /v1/messages'],
  },
  openai: {
    baseUrl: 'https://api.openai.com',
    header: 'authorization: Bearer {value}',
    allow: ['POST /v1/chat/completions'],
  },
}

/** Routes that hold unless the file declares the same pattern; they come after all declared ones. */
export const BUILT_IN_ROUTES: readonly ModelRoute[] = [
  { pattern: 'claude-*', provider: 'anthropic', secret: 'anthropic-api-key' },
  { pattern: 'gpt-*', provider: 'openai', secret: 'openai-api-key' },
]

/** Secrets that exist without being declared, where an agent type or a declared route needs them. */
export const BUILT_IN_SECRETS: Record<string, Secret> = Object.fromEntries(
  BUILT_IN_ROUTES.map(({ secret, provider }) => [
    secret,
    { name: secret, provider, deliver: 'broker', egress: PROVIDER_EGRESS[provider] },
  ]),
)

/** Providers that the project knows; any other name is a static secret of a service of the operator's. */
export const KNOWN_PROVIDERS = [
  'anthropic',
  'anthropic-admin',
  'openai',
  'openai-admin',
  'postgres',
  'postgres-admin',
  'postgres-roles',
  'random',
  'vault-approle',
] as const

/** Providers whose secrets are for the rotator and for Vault's database engine only. */
export const ADMIN_PROVIDERS: readonly string[] = ['anthropic-admin', 'openai-admin', 'postgres-admin']
