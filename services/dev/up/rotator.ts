import { dirname, join } from 'node:path'
import type { OperatorAccess } from '#lib/http'
import { nodeService } from './node-service.ts'
import { common } from './service-config.ts'
import type { Running } from './services.ts'
import type { Stage } from './stage.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** Where the rotator listens for the operator's commands, and what they present; undefined where nothing is rotated. */
export function rotatorAccess({ cluster, directories, credentials }: Stage): OperatorAccess | undefined {
  if (!Object.values(cluster.secrets).some(({ rotate }) => rotate)) return undefined
  return {
    socket: join(directories.runtime, 'rotator', 'operator.sock'),
    credentialFile: credentials.file('rotator-operator'),
  }
}

/** Starts the rotator, where the cluster file rotates a secret. */
export async function startRotator(stage: Stage, running: Running): Promise<void> {
  const { ownership, supervisor, say } = stage
  const operator = rotatorAccess(stage)
  if (!operator) return
  ownership.meet(dirname(operator.socket), 'rotator', 'rotator')
  const give = (file: string) => ownership.give('rotator', file)
  const config = async () => {
    const { roleIdFile, secretIdFile } = await running.vault.login('rotator')
    return {
      ...common(stage, running, 'rotator'),
      operator: { ...operator, credentialFile: give(operator.credentialFile) },
      vault: {
        address: running.vault.address,
        roleIdFile: give(roleIdFile),
        secretIdFile: give(secretIdFile),
      },
    }
  }
  const user = ownership.userOf('rotator')
  await supervisor.start(
    nodeService({ name: 'rotator', folder: 'rotator', stopPhase: STOP_PHASE.rotator, user, config }),
  )
  say('rotator ready')
}
