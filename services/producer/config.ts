import * as z from 'zod'
import { RedisConfig, TelemetryConfig } from '#lib/runtime'

/** What the producer reads from its environment. */
export const Config = z.object({
  /** The resolved cluster file. */
  clusterFile: z.string(),
  redis: RedisConfig.default({}),
  telemetry: TelemetryConfig.default({}),
  host: z.string().default('127.0.0.1'),
  /** 0: any free one. */
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  /** Ed25519 private key, PKCS8 PEM. */
  signingKeyFile: z.string(),
  /** JSON: a list of API keys, hashed. */
  apiKeysFile: z.string(),
})
