import { OperatorAccess } from '#lib/http'
import { RedisConfig, TelemetryConfig } from '#lib/runtime'
import { LoginConfig } from '#lib/secrets'
import { VaultConfig } from '#lib/vault'
import { hostname } from 'node:os'
import * as z from 'zod'

/** Configuration of the rotator. */
export const Config = z.object({
  clusterFile: z.string(),
  redis: RedisConfig.default({}),
  telemetry: TelemetryConfig.default({}),
  vault: z.object({ ...VaultConfig.shape, ...LoginConfig.shape }),
  /** Where operators ask: a socket in a folder that they alone enter, and what they present. Absent: nowhere. */
  operator: OperatorAccess.optional(),
  /** Whom commands of the cluster file run as. Needed where the rotator is root, impossible where it is not. */
  commandUser: z
    .object({ uid: z.coerce.number().int().min(1), gid: z.coerce.number().int().min(1) })
    .optional(),
  /** Names this rotator among several. */
  instance: z
    .string()
    .max(60)
    .default(`${hostname().slice(0, 40)}-${process.pid}`),
  /** By how much the clocks of the fleet may differ, and messages be late: part of how long both keys are valid. */
  skewMs: z.coerce.number().int().nonnegative().default(2_000),
  /** How often it looks at every record by its own timer, whatever BullMQ does. */
  lookEveryMs: z.coerce.number().int().min(100).default(60_000),
})
