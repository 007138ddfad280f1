import { randomBytes } from 'node:crypto'
import type { Cluster, Secret } from '#lib/cluster'
import type { Credentials } from './credentials.ts'

/** A database that our own Postgres serves, and the user that Vault's engine makes others with. */
export interface StandInDatabase {
  database: string
  /** The static secret that holds `user:password`. */
  adminSecret: string
  user: string
  passwordFile: string
}

/** What `up` makes up in place of the outside: generated secret values, and what accepts them. */
export interface StandIns {
  /** Values for Vault's KV, by secret. */
  values: Map<string, string>
  /** The models stand-in's keysFile; absent when no model provider is stood in for. */
  keysFile?: string
  databases: StandInDatabase[]
  /**
   * Makes other keys for models: a Vault that has forgotten all begins with these. Those that were there may have been
   * rotated since, and are ended at the stand-in.
   */
  renewModelKeys(): void
}

/** Decides what is stood in for, and makes its secrets. Those of models are new each time, the databases' are kept. */
export function planStandIns(cluster: Cluster, credentials: Credentials): StandIns {
  const values = new Map<string, string>()
  const databases = cluster.development.standIn.includes('postgres')
    ? standInDatabases(cluster, credentials)
    : []
  for (const { adminSecret, user, passwordFile } of databases)
    values.set(adminSecret, `${user}:${credentials.read(fileName(passwordFile))}`)
  const ofModels = Object.values(cluster.secrets).flatMap((secret) => {
    const provider = modelProviderOf(secret)
    return provider && cluster.development.standIn.includes(provider) ? [{ secret, provider }] : []
  })
  const renewModelKeys = () => {
    const keys: AcceptedKeys = { anthropic: [], openai: [], 'openai-admin': [] }
    for (const { secret } of ofModels) values.set(secret.name, addKey(keys, secret))
    return credentials.write('model-keys.json', JSON.stringify(keys))
  }
  if (ofModels.length === 0) return { values, databases, renewModelKeys: () => {} }
  return { values, databases, keysFile: renewModelKeys(), renewModelKeys }
}

/** Where the stand-ins listen; undefined for one that does not run. */
interface Addresses {
  models: string | undefined
  postgresSocket: string | undefined
}

/** The cluster with the stand-ins' addresses in place of those of the outside. */
export function withStandIns(cluster: Cluster, addresses: Addresses): Cluster {
  const stoodIn = new Set<string>(cluster.development.standIn)
  const secrets = Object.entries(cluster.secrets).map(
    ([name, secret]) =>
      [name, stoodIn.has(secret.provider) ? readdressed(secret, addresses) : secret] as const,
  )
  return { ...cluster, secrets: Object.fromEntries(secrets) }
}

function readdressed(secret: Secret, addresses: Addresses): Secret {
  if (secret.connect && addresses.postgresSocket)
    return { ...secret, connect: { ...secret.connect, socket: addresses.postgresSocket } }
  if (!secret.egress || !addresses.models) return secret
  return { ...secret, egress: { ...secret.egress, baseUrl: addresses.models } }
}

/** Secrets on one database share its admin, so the first one's admin secret names the user. */
function standInDatabases(cluster: Cluster, credentials: Credentials): StandInDatabase[] {
  const databases = new Map<string, StandInDatabase>()
  for (const { connect, provider } of Object.values(cluster.secrets)) {
    if (!connect || provider !== 'postgres' || databases.has(`${connect.database} ${connect.adminSecret}`))
      continue
    const passwordFile = credentials.file(`postgres-${connect.adminSecret}`)
    const user = `tb_${connect.adminSecret.replaceAll('-', '_')}`
    const { database, adminSecret } = connect
    databases.set(`${database} ${adminSecret}`, { database, adminSecret, user, passwordFile })
  }
  return [...databases.values()]
}

/** The content of the models stand-in's keysFile. */
interface AcceptedKeys {
  anthropic: string[]
  openai: { key: string; project: string }[]
  'openai-admin': string[]
}

/** Which provider a secret is a key of, for models or for its keys. */
function modelProviderOf({ provider }: Secret): 'anthropic' | 'openai' | undefined {
  if (provider === 'openai-admin') return 'openai'
  return provider === 'anthropic' || provider === 'openai' ? provider : undefined
}

function addKey(keys: AcceptedKeys, { provider, rotate }: Secret): string {
  const key = `sk-stand-in-${randomBytes(24).toString('base64url')}`
  if (provider === 'openai') keys.openai.push({ key, project: rotate?.project ?? 'default' })
  else keys[provider === 'anthropic' ? 'anthropic' : 'openai-admin'].push(key)
  return key
}

const fileName = (path: string) => path.slice(path.lastIndexOf('/') + 1)
