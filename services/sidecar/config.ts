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
  /** Holds the key of the marks that stand for values in the audit log. Default: a new one at each start. */
  auditKeyFile: z.string().optional(),
  /** Where operators ask: a socket in a folder that they alone enter, and what they present. Absent: nowhere. */
  operator: z.object({ socket: z.string(), credentialFile: z.string() }).optional(),
  vault: z.object({
    address: z.url({ protocol: /^https?$/ }),
    namespace: z.string().optional(),
    /** PEM: the authority that signed Vault's certificate (default: Node's list), and our own certificate and key. */
    caFile: z.string().optional(),
    certFile: z.string().optional(),
    keyFile: z.string().optional(),
    /** By AppRole: its role id, and a wrapping token of a secret-id, deleted once it was used. */
    roleIdFile: z.string().optional(),
    secretIdFile: z.string().optional(),
    /** In place of an AppRole: a role of Vault's Kubernetes auth method. */
    kubernetesRole: z.string().optional(),
    kubernetesMount: z.string().default('kubernetes'),
    kubernetesTokenFile: z.string().default('/var/run/secrets/kubernetes.io/serviceaccount/token'),
    /** In place of both: a token that another program keeps there. */
    tokenFile: z.string().optional(),
    /** Keeps the accessor of the sidecar's own token from one start to the next. Default: nothing is kept. */
    accessorFile: z.string().optional(),
  }),
})
