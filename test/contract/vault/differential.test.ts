import { expect, test } from 'vitest'
import { DevVault } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import { comparableRequest } from '../../support/comparable-requests.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { DIFFERENCES, type Compared } from '../../support/vault-differences.ts'
import { callAt, openVaultTarget, type VaultAnswer, type VaultCall } from '../../support/vault-target.ts'

const isReal = process.env['TB_VAULT_ADDR'] !== undefined
const ROUNDS = Number(process.env['TB_ROUNDS'] ?? 3000)

/** With a real server alone: without one it would compare the dev Vault with itself. */
test.skipIf(!isReal)('the dev Vault answers random requests as the real server does', async () => {
  await using real = await openVaultTarget()
  const { rootToken } = real
  await using vault = await DevVault.open({ clock: systemClock, rootToken, log: silentLog })
  const both = [callAt(vault.address, rootToken), real.root]
  const names = { kv: real.unique('kv'), db: real.unique('db'), ar: real.unique('ar'), n: real.unique('n') }
  await Promise.all(both.map((call) => prepare(call, names)))
  const random = seededRandom(Number(process.env['TB_SEED'] ?? 1))
  const explained = new Set<string>()
  const unexplained = new Map<string, unknown>()
  for (let round = 0; round < ROUNDS; round++) {
    const request = comparableRequest(random, names)
    const { method, path, body, headers } = request
    const [dev, other] = await Promise.all(
      both.map(async (call) => compared(await call(method, path, body, headers))),
    )
    if (isSame(dev!, other!)) continue
    const reason = DIFFERENCES.find(({ explains }) => explains(request, dev!, other!))
    if (reason) explained.add(reason.name)
    else unexplained.set(`${method} ${path}`, { round, body, dev, other })
  }
  expect(Object.fromEntries(unexplained)).toEqual({})
  expect(explained.size).toBeGreaterThan(0)
})

async function prepare(call: VaultCall, { kv, db, ar }: Record<string, string>): Promise<void> {
  await call('POST', `sys/mounts/${kv}`, { type: 'kv', options: { version: '2' } })
  await call('POST', `sys/mounts/${db}`, { type: 'database' })
  await call('POST', `sys/auth/${ar}`, { type: 'approle' })
  await expect
    .poll(async () => (await call('POST', `${kv}/data/ready`, { data: {} })).status, { timeout: 10_000 })
    .toBe(200)
}

function compared({ status, body }: VaultAnswer): Compared {
  const { data, auth } = body ?? {}
  const names = data && typeof data === 'object' ? Object.keys(data).toSorted() : [String(data)]
  const values = auth
    ? [auth.lease_duration, auth.policies, auth.renewable, auth.token_type, auth.orphan, auth.num_uses]
    : []
  return { status, error: body?.errors?.[0], shape: [...names, JSON.stringify(values)].join(' ') }
}

const isSame = (a: Compared, b: Compared) =>
  a.status === b.status && a.error === b.error && a.shape === b.shape
