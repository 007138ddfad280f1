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

/** What `up` makes up in place of the outside: generated secret values, kept in the data directory. */
export interface StandIns {
  /** Values for Vault's KV, by secret. */
  values: Map<string, string>
  /** The models stand-in's keysFile; absent when no model provider is stood in for. */
  keysFile?: string
  databases: StandInDatabase[]
}

/** Decides what is stood in for, and makes its secrets. */
export function planStandIns(cluster: Cluster, credentials: Credentials): StandIns {
  const values = new Map<string, string>()
  const keys: Record<'anthropic' | 'openai', string[]> = { anthropic: [], openai: [] }
  for (const secret of Object.values(cluster.secrets)) {
    if (!isModelProvider(secret.provider) || !cluster.development.standIn.includes(secret.provider)) continue
    const key = credentials.read(`stand-in-${secret.name}`, modelKey)
    keys[secret.provider].push(key)
    values.set(secret.name, key)
  }
  const databases = cluster.development.standIn.includes('postgres')
    ? standInDatabases(cluster, credentials)
    : []
  for (const { adminSecret, user, passwordFile } of databases)
    values.set(adminSecret, `${user}:${credentials.read(fileName(passwordFile))}`)
  if (keys.anthropic.length + keys.openai.length === 0) return { values, databases }
  return { values, databases, keysFile: credentials.write('model-keys.json', JSON.stringify(keys)) }
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
  for (const { connect } of Object.values(cluster.secrets)) {
    if (!connect || databases.has(`${connect.database} ${connect.adminSecret}`)) continue
    const passwordFile = credentials.file(`postgres-${connect.adminSecret}`)
    const user = `tb_${connect.adminSecret.replaceAll('-', '_')}`
    const { database, adminSecret } = connect
    databases.set(`${database} ${adminSecret}`, { database, adminSecret, user, passwordFile })
  }
  return [...databases.values()]
}

function isModelProvider(provider: string): provider is 'anthropic' | 'openai' {
  return provider === 'anthropic' || provider === 'openai'
}

const modelKey = () => `sk-stand-in-${randomBytes(24).toString('base64url')}`
const fileName = (path: string) => path.slice(path.lastIndexOf('/') + 1)
