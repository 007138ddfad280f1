import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { applyPolicies, planPolicies, type PolicyInput, putSecret, VaultClient } from '#lib/vault'
import { openVaultTarget, type VaultTarget } from '../../support/vault-target.ts'

const STATIC = { writer: ['mail-key', 'shared-key'], coder: ['chat-key', 'shared-key'], idle: [] as string[] }
const ALL = ['mail-key', 'chat-key', 'shared-key', 'for-nobody', 'orders-db-admin']
const KV_ROUTES = ['data', 'metadata', 'subkeys', 'delete', 'undelete', 'destroy']
const DATABASE_ROUTES = ['creds', 'static-creds', 'roles', 'static-roles', 'config']
const VERBS = ['GET', 'LIST', 'POST', 'PUT', 'PATCH', 'DELETE']
const HEADERS = { 'content-type': 'application/merge-patch+json' }

let target: VaultTarget
let client: VaultClient
beforeAll(async () => {
  target = await openVaultTarget()
  client = await VaultClient.open({ address: target.address })
})
afterAll(async () => {
  await client[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
})

/** Two environments of one cluster, applied, each with every secret in place. */
async function setup() {
  const cluster = `t${randomBytes(6).toString('hex')}`
  const environments = await Promise.all(['dev', 'live'].map((environment) => apply(cluster, environment)))
  return { here: environments[0]!, there: environments[1]! }
}

async function apply(cluster: string, environment: string) {
  const input: PolicyInput = {
    cluster,
    environment,
    agentTypes: Object.entries(STATIC).map(([name, secrets]) => ({
      name,
      secrets: [
        ...secrets.map((secret) => ({ name: secret, kind: 'static' as const })),
        ...(name === 'coder' ? [{ name: 'orders-db', kind: 'database' as const }] : []),
      ],
    })),
    databases: [],
    staticSecrets: ALL,
  }
  const desired = planPolicies(input)
  await applyPolicies(client, target.rootToken, desired)
  for (const name of ALL)
    await putSecret(client, target.rootToken, { cluster, environment, name, value: `value-of-${name}` })
  return desired.names
}

test('I5 every agent type × every secret × every route × every verb, asked of Vault: 403 but for what is declared', async () => {
  const { here, there } = await setup()
  const routes = [here, there].flatMap((names) => [
    ...ALL.flatMap((secret) =>
      KV_ROUTES.map((route) => names.metadata(secret).replace('kv/metadata/', `kv/${route}/`)),
    ),
    ...DATABASE_ROUTES.map((route) => `database/${route}/${names.database('orders-db')}`),
  ])
  for (const agentType of Object.keys(STATIC) as (keyof typeof STATIC)[]) {
    const { token } = await client.createToken(target.rootToken, here.agent(agentType), { ttlMs: 120_000 })
    const ask = target.as(token)
    const allowed = new Set<string>()
    for (const path of routes)
      for (const verb of VERBS) {
        const { status } = await ask(verb, path, bodyOf(verb), HEADERS)
        if (status !== 403) allowed.add(`${verb} ${path}`)
      }
    const declared = STATIC[agentType].map((secret) => `GET ${here.secret(secret)}`)
    const lease = `GET database/creds/${here.database('orders-db')}`
    expect([...allowed].toSorted()).toEqual(
      [...declared, ...(agentType === 'coder' ? [lease] : [])].toSorted(),
    )
  }
  expect((await target.root('GET', here.secret('for-nobody'))).status).toBe(200)
})

const bodyOf = (verb: string) =>
  ['POST', 'PUT', 'PATCH'].includes(verb) ? { data: { value: 'x' } } : undefined
