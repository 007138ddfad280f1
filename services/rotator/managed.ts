import { cacheOf, type Cluster, usableSecrets } from '#lib/cluster'
import type { ManagedSecret } from '#lib/rotation'
import { providerOf, type ProviderParts } from './providers.ts'

/** Every secret with `rotate`, and what rotates it. @throws NotRotatableError */
export function managedSecrets(
  cluster: Cluster,
  { skewMs, ...parts }: ProviderParts & { skewMs: number },
): ManagedSecret[] {
  const { name: clusterName, environment } = cluster
  return Object.values(cluster.secrets).flatMap((secret) => {
    if (!secret.rotate) return []
    const consumers = Object.keys(cluster.agents).filter((type) =>
      usableSecrets(cluster, type).includes(secret.name),
    )
    return {
      name: secret.name,
      keyPrefix: `tb/${clusterName}/${environment}/${secret.name}/`,
      every: secret.rotate.every,
      window: secret.rotate.window,
      holders: {
        timeoutsMs: consumers.map((type) => cluster.agents[type]!.timeoutMs),
        ...cacheOf(secret),
        skewMs,
      },
      consumers,
      provider: providerOf(secret, parts),
    }
  })
}
