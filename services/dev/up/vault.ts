import { randomBytes } from 'node:crypto'
import type { Cluster } from '#lib/cluster'
import type { VaultService } from '#lib/vault'
import { bootstrapVault, serviceLogin, type VaultAccess } from './bootstrap.ts'
import { type Ground, renewModelKeys } from './ground.ts'
import { nodeService } from './node-service.ts'
import { portFor } from './ports.ts'
import { type Stage, urlOf } from './stage.ts'
import { STOP_PHASE } from './stop-phases.ts'

/** The dev Vault, running and filled. */
export interface DevVault extends VaultAccess {
  rootTokenFile: string
  /** Credential files for one start of a service. */
  login(service: VaultService): Promise<{ roleIdFile: string; secretIdFile: string }>
}

/**
 * Starts the dev Vault and fills it, anew at each of its starts: it keeps nothing. A sidecar and
 * a rotator that knew the Vault before are started anew as well, since their logins are gone.
 */
export async function startVault(stage: Stage, cluster: Cluster, ground: Ground): Promise<DevVault> {
  const { supervisor, credentials, ownership, say } = stage
  const rootTokenFile = credentials.file(
    'vault-root-token',
    () => `hvs.${randomBytes(24).toString('base64url')}`,
  )
  const rootToken = credentials.read('vault-root-token')
  let starts = 0
  const spec = nodeService({
    name: 'vault',
    folder: 'dev/vault',
    stopPhase: STOP_PHASE.vault,
    user: ownership.userOf('vault'),
    config: (previous) => ({
      port: portFor(previous, 0),
      rootTokenFile: ownership.give('vault', rootTokenFile),
      environment: cluster.environment,
    }),
    async afterReady(facts) {
      const access = { address: urlOf(facts, 'vault'), rootToken }
      if (starts > 0) renewModelKeys(stage, ground)
      const { databasesLeftOut } = await bootstrapVault(access, cluster, ground.standIns.values)
      for (const name of databasesLeftOut)
        say(`secret ${name}: its admin secret has no value yet, so it cannot be leased`)
      if (starts > 0) for (const service of ['sidecar', 'rotator']) supervisor.renew(service)
      starts += 1
    },
  })
  const address = urlOf(await supervisor.start(spec), 'vault')
  say(`vault ready on ${address}`)
  const access = { address, rootToken }
  const login = async (service: VaultService) => {
    const { roleId, wrappingToken } = await serviceLogin(access, cluster, service)
    return {
      roleIdFile: credentials.write(`${service}-role-id`, roleId),
      secretIdFile: credentials.write(`${service}-wrapped-secret-id`, wrappingToken),
    }
  }
  return { ...access, rootTokenFile, login }
}
