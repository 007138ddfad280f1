import { type Cluster, didYouMean, nameFault, type Secret, secretKind, usableSecrets } from '#lib/cluster'
import { CommandError, UsageError } from '../errors.ts'

/** The secret that a name means in a cluster. @throws UsageError for no name, CommandError for one that is not declared */
export function declaredSecret(cluster: Cluster, name: string): Secret {
  const fault = nameFault(name)
  if (fault) throw new UsageError(`--name: ${fault}`)
  if (Object.hasOwn(cluster.secrets, name)) return cluster.secrets[name]!
  const known = Object.keys(cluster.secrets)
  const hint = didYouMean(name, known) || `; it has ${known.join(', ') || 'none'}`
  throw new CommandError(`no secret "${name}" in ${cluster.file}${hint}`)
}

/** The same for one that has a value: not for one that is leased. @throws UsageError, CommandError */
export function staticSecret(cluster: Cluster, name: string): Secret {
  const secret = declaredSecret(cluster, name)
  if (secretKind(secret) === 'static') return secret
  const admin = secret.connect
    ? `; the value that Vault makes users with is "${secret.connect.adminSecret}"`
    : ''
  throw new CommandError(
    `secret "${name}" has no value: Vault makes a database user for each attempt${admin}`,
  )
}

/** What is said of a provider must be what the cluster file says. @throws UsageError, CommandError */
export function checkProvider({ file }: Cluster, { name, provider }: Secret, said: string | undefined): void {
  if (said === undefined || said === provider) return
  const fault = nameFault(said)
  if (fault) throw new UsageError(`--provider: ${fault}`)
  throw new CommandError(`--provider: secret "${name}" has provider "${provider}" in ${file}, not "${said}"`)
}

/** Agent types that may use a secret. */
export function consumersOf(cluster: Cluster, name: string): string[] {
  return Object.keys(cluster.agents).filter((type) => usableSecrets(cluster, type).includes(name))
}

/** How a secret reaches an attempt. */
export function kindOf(secret: Secret): string {
  if (secretKind(secret) === 'database') return 'leased'
  if (secret.provider === 'postgres-admin') return 'for Vault alone'
  return secret.deliver === 'broker' ? 'by the broker' : 'value'
}

/** True when `up` serves what the secret is for, and takes no value but the one that it made. */
export function isStoodIn({ development }: Cluster, { provider }: Secret): boolean {
  const served: string[] = development.standIn
  return served.includes(provider) || (provider === 'postgres-admin' && served.includes('postgres'))
}
