import { readFileSync } from 'node:fs'
import { type Config, ProductionRefusedError } from './config.ts'
import * as z from 'zod'

/** The one part of a resolved cluster file that counts here. */
const Resolved = z.object({ environment: z.string() })

/** @throws ProductionRefusedError where the variable or the cluster file says production */
export function refuseProduction(config: Config): Config {
  if (isProduction(config.environment)) throw new ProductionRefusedError('TB_ENVIRONMENT')
  const file = config.clusterFile
  if (file !== undefined && isProduction(environmentIn(file))) throw new ProductionRefusedError(file)
  return config
}

const isProduction = (environment: string) => environment.trim().toLowerCase() === 'production'

function environmentIn(file: string): string {
  return Resolved.parse(JSON.parse(readFileSync(file, 'utf8'))).environment
}
