import { Level, RedisConfig, TelemetryConfig } from '#lib/runtime'
import * as z from 'zod'

/** What a worker reads from its environment (`TB_AGENT_TYPE`, `TB_SIDECAR_SOCKET`, …). */
export const Config = z.object({
  /** The resolved cluster file. */
  clusterFile: z.string(),
  /** The agent type that this process serves. */
  agentType: z.string(),
  redis: RedisConfig,
  telemetry: TelemetryConfig,
  /** The sidecar's socket of this agent type. Without one the agents have no broker. */
  sidecarSocket: z.string().optional(),
  sidecarCredentialFile: z.string().optional(),
  /** Where `ctx.call` goes, with the worker's own API key. */
  producerUrl: z.string().optional(),
  apiKeyFile: z.string().optional(),
  /** The producer's public key, SPKI PEM: it verifies every signed job. */
  publicKeyFile: z.string(),
  /** A folder for this worker's sockets; its path is short (a socket's is under 107 bytes). */
  runtimeDir: z.string(),
  /** Whom it becomes, for good, once its launcher runs; groups are numbers with commas. Absent: it stays who it is. */
  runAs: z
    .object({
      uid: z.coerce.number().int().positive(),
      gid: z.coerce.number().int().positive(),
      groups: z.string().default(''),
    })
    .optional(),
  /** Attempts at once in this process. Default: `max-concurrency`, at most 16. */
  slots: z.coerce.number().int().positive().optional(),
  /**
   * Contexts kept started for the next attempts, at most the slots. Default: as many as arrivals and start time ask for,
   * at least one. More of them hide longer bursts, and each holds its memory.
   */
  spares: z.coerce.number().int().nonnegative().optional(),
  /** What the spares may hold together, bytes, where `spares` does not fix their number. One is kept in any case. */
  spareMemoryBytes: z.coerce
    .number()
    .int()
    .positive()
    .default(256 * 2 ** 20),
  /** Overrides the cluster file's level for this run (`up --isolation`). */
  isolation: Level.optional(),
  /** How long running attempts may take to finish after the first signal, milliseconds. */
  drainMs: z.coerce.number().int().positive().default(10_000),
  /**
   * How long a worker may give no sign before its jobs run elsewhere, milliseconds. Shorter: jobs of a killed worker run
   * again sooner, and a pause of the process or of Redis costs more attempts. At most 1.5 times as long in all.
   */
  lockMs: z.coerce.number().int().min(1000).default(30_000),
})
export type Config = z.infer<typeof Config>
