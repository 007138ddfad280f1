import { OperatorAccess } from '#lib/http'
import { RedisConfig, TelemetryConfig } from '#lib/runtime'
import { LoginConfig } from '#lib/secrets'
import { VaultConfig } from '#lib/vault'
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
  /** Holds the key of the marks that stand for values in the audit log. Default: a new one at each start. */
  auditKeyFile: z.string().optional(),
  /** Where operators ask: a socket in a folder that they alone enter, and what they present. Absent: nowhere. */
  operator: OperatorAccess.optional(),
  vault: z.object({
    ...VaultConfig.shape,
    ...LoginConfig.shape,
    /** Keeps the accessor of the sidecar's own token from one start to the next. Default: nothing is kept. */
    accessorFile: z.string().optional(),
  }),
})
