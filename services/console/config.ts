import * as z from 'zod'
import { RedisConfig } from '#lib/runtime'

/** The console's configuration, from `TB_*` variables. */
export const Config = z.object({
  /** The resolved cluster file. */
  clusterFile: z.string({ error: 'expected the path of the cluster file' }),
  host: z.string().default('127.0.0.1'),
  /** 0 takes a free one and announces it. */
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  /** JSON list of `{hash, caller, tenant}`: whose API keys open the console. */
  apiKeysFile: z.string({ error: 'expected the path of the API keys file' }),
  /** Where traces are looked at: jobs link to `<tracesUrl>/traces/<trace id>`. */
  tracesUrl: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }).optional(),
  redis: RedisConfig,
})
