import { cacheOf, type Cluster, type Secret, usableSecrets } from '#lib/cluster'
import { type ManagedSecret, OpenAiProvider, randomProvider, type RotationProvider } from '#lib/rotation'
import { PermanentError } from '#lib/runtime'

/** Reads a static secret's value, for what a provider administers with. */
export type ReadSecret = (secret: string) => Promise<string>

/** The cluster file has `rotate` where no provider can make keys. */
export class NotRotatableError extends PermanentError {
  override readonly name = 'NotRotatableError'
  constructor({ name, provider }: Secret, expected: string) {
    super(`secrets.${name}.rotate: ${expected}; its provider is ${provider}`)
  }
}

/** Every secret with `rotate`, and what rotates it. @throws NotRotatableError */
export function managedSecrets(
  cluster: Cluster,
  { read, skewMs }: { read: ReadSecret; skewMs: number },
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
      holders: {
        timeoutsMs: consumers.map((type) => cluster.agents[type]!.timeoutMs),
        ...cacheOf(secret),
        skewMs,
      },
      consumers,
      provider: providerOf(secret, read),
    }
  })
}

function providerOf(secret: Secret, read: ReadSecret): RotationProvider {
  const { provider, rotate, egress } = secret
  if (provider === 'random') return randomProvider
  if (provider !== 'openai')
    throw new NotRotatableError(secret, 'expected a provider whose keys can be rotated')
  if (!rotate?.project || !rotate.adminSecret || !egress)
    throw new NotRotatableError(secret, 'expected project and admin-secret, with which new keys are made')
  const { project, adminSecret } = rotate
  return new OpenAiProvider({ baseUrl: egress.baseUrl, project, adminKey: () => read(adminSecret) })
}
