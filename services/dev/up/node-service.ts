import { fileURLToPath } from 'node:url'
import { configToEnv } from '#lib/runtime'
import type { Facts, RunAs, SupervisedSpec } from '../supervision/index.ts'

const SERVICES = fileURLToPath(new URL('../..', import.meta.url))

/** One of the project's own services. */
export interface NodeService extends Partial<SupervisedSpec> {
  name: string
  /** Its folder below services/. */
  folder: string
  stopPhase: number
  /** Whom it runs as; as we do when absent. */
  user?: RunAs | undefined
  /** Its configuration, made anew at each start. */
  config: (previous: Facts | undefined) => object | Promise<object>
}

/** How the supervisor starts a service: its main.ts, on the supervisor's own Node, with its configuration and nothing else. */
export function nodeService({ folder, config, user, ...spec }: NodeService): SupervisedSpec {
  return {
    ...spec,
    async launch(previous) {
      const logLevel = process.env['TB_LOG_LEVEL']
      return {
        command: process.execPath,
        args: ['--disable-sigusr1', `${SERVICES}${folder}/main.ts`],
        user,
        env: { ...configToEnv({ supervised: 1, logLevel, ...(await config(previous)) }) },
      }
    },
  }
}
