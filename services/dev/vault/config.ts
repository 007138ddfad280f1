import * as z from 'zod'
import { PermanentError } from '#lib/runtime'

/** The dev Vault's environment. */
export const Config = z.object({
  /** Must not be `production`. Default: dev. */
  environment: z.string().default('dev'),
  /** The resolved cluster file; its environment must not be `production` either. */
  clusterFile: z.string().optional(),
  /** A loopback address. */
  host: z.string().default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(8200),
  /** The file with the root token that it shall accept. */
  rootTokenFile: z.string(),
  /** The folder that keeps everything, encrypted; also `--data FOLDER`. Default: none, all is in memory. */
  data: z.string().optional(),
  /** The file with the key that opens the folder; made with it, to be kept elsewhere. Gone: it starts sealed. */
  unsealKeyFile: z.string().optional(),
})
export type Config = z.infer<typeof Config>

/** A stand-in was asked to serve production. */
export class ProductionRefusedError extends PermanentError {
  override readonly name = 'ProductionRefusedError'
  constructor(source: string) {
    super(`${source} says production: the dev Vault is never used there; run HashiCorp Vault or OpenBao`)
  }
}
