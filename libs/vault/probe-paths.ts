import type { VaultClient } from './client.ts'
import { vaultPath } from './path.ts'
import type { DesiredVault, PolicyInput } from './policies.ts'
import { pathOf } from './objects.ts'
import type { RotatedSecret } from './rotator-rights.ts'

const KV_ROUTES = ['data', 'metadata', 'subkeys', 'delete', 'undelete', 'destroy']
const DATABASE_ROUTES = ['creds', 'static-creds', 'roles', 'static-roles', 'config', 'reset', 'rotate-root']

const ADMINISTERED = ['policy', 'token role', 'AppRole'] as const
/** What makes tokens, ends others' leases, or changes Vault itself. */
const TO_MORE = [
  'auth/token/create',
  'auth/token/create-orphan',
  'auth/token/lookup',
  'auth/token/renew',
  'auth/token/accessors/',
  'identity/entity',
  'sys/audit',
  'sys/auth/approle',
  'sys/capabilities',
  'sys/leases/lookup',
  'sys/leases/revoke',
  'sys/leases/revoke-prefix/database',
  'sys/mounts/kv',
  'sys/seal',
]

/**
 * Every path at which an identity could have too much: all routes of all secrets, those of the cluster file and those
 * that lie in Vault, of any environment; and what could give more rights.
 */
export async function everyPath(
  client: VaultClient,
  token: string,
  { desired, input }: { desired: DesiredVault; input: PolicyInput },
): Promise<string[]> {
  const { names } = desired
  const declared = input.agentTypes.flatMap(({ secrets }) => secrets)
  const ofKind = (wanted: string) => declared.filter(({ kind }) => kind === wanted).map(({ name }) => name)
  const rotated = (input.rotated ?? []).map(({ secret }) => secret)
  const statics = [
    ...[...ofKind('static'), ...(input.staticSecrets ?? []), ...rotated].map(names.secret),
    ...rotated.flatMap((name) => [names.rotation(name), names.pending(name)]),
  ].map((path) => path.replace('kv/data/', ''))
  const entries = new Set([...statics, ...(await secretsBelow(client, token, ['tb']))])
  const roles = await client.inventory.names(token, vaultPath('database', 'roles'))
  const databases = new Set([...ofKind('database').map((name) => names.database(name)), ...roles])
  return [
    ...[...entries].flatMap((path) => KV_ROUTES.map((route) => `kv/${route}/${path}`)),
    ...[...databases].flatMap((name) => DATABASE_ROUTES.map((route) => `database/${route}/${name}`)),
    ...(input.rotated ?? []).flatMap(secretIdsOf),
    ...pathsToMore(desired),
  ]
}

const secretIdsOf = ({ appRole }: RotatedSecret) =>
  appRole ? [vaultPath('auth', 'approle', 'role', appRole, 'secret-id')] : []

function pathsToMore({ policies, tokenRoles, names }: DesiredVault): string[] {
  const ours = [...policies, ...tokenRoles].map(({ name }) => name)
  const objects = ours.flatMap((name) => ADMINISTERED.map((kind): string => pathOf({ kind, name })))
  const mints = tokenRoles.map(({ name }) => `auth/token/create/${name}`)
  const logins = [names.sidecarSecretId, names.rotatorSecretId]
  return [...objects, ...mints, ...logins, `${names.secretsFolder}/`, ...TO_MORE]
}

/** What lies in folders of clusters and environments, by its path in the KV mount. */
async function secretsBelow(
  client: VaultClient,
  token: string,
  folder: [string, ...string[]],
): Promise<string[]> {
  const found: string[] = []
  for (const name of await client.inventory.names(token, vaultPath('kv', 'metadata', ...folder)))
    if (!name.endsWith('/')) found.push([...folder, name].join('/'))
    else if (FOLDER.test(name))
      found.push(...(await secretsBelow(client, token, [...folder, name.slice(0, -1)])))
  return found
}

/** Others may keep odd things beside ours; a path with such a name is none that we could ask about. */
const FOLDER = /^[a-z][a-z0-9-]*\/$/
