import { RedisConfig, TelemetryConfig } from '#lib/runtime'
import * as z from 'zod'

/** Configuration of the sidecar. */
export const Config = z.object({
  clusterFile: z.string(),
  redis: RedisConfig.default({}),
  telemetry: TelemetryConfig.default({}),
  /** It listens on `<socketDir>/<agent type>/sidecar.sock`. */
  socketDir: z.string(),
  /** `<credentialsDir>/<agent type>` holds what a worker of that type must present. */
  credentialsDir: z.string(),
  /** SPKI PEM: what producers' signatures are checked with. */
  publicKeyFile: z.string(),
  auditFile: z.string(),
  vault: z.object({
    address: z.url({ protocol: /^https?$/ }),
    roleIdFile: z.string(),
    /** Holds a wrapping token; deleted once it was used. */
    secretIdFile: z.string(),
    /** Keeps the accessor of the sidecar's own token from one start to the next. Default: nothing is kept. */
    accessorFile: z.string().optional(),
  }),
})
