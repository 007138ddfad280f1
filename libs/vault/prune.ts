import type { VaultClient } from './client.ts'
import { KINDS, pathOf } from './objects.ts'
import { leftOverOf, type VaultPlan } from './plan.ts'
import type { DesiredVault } from './policies.ts'

/**
 * Removes what carries a name of this cluster and environment and is in no plan, the users before what they use. Users
 * of a database are ended before their role: without its connection, Vault could never end them. Gives what it removed.
 * Values of secrets are no policies: they stay.
 */
export async function prunePolicies(
  client: VaultClient,
  token: string,
  desired: DesiredVault,
): Promise<VaultPlan['leftOver']> {
  const leftOver = (await leftOverOf(client, token, desired)).toSorted(
    (a, b) => KINDS.indexOf(b.kind) - KINDS.indexOf(a.kind),
  )
  for (const object of leftOver) {
    if (object.kind === 'database role')
      await client.admin.revokePrefix(token, 'database', 'creds', object.name)
    await client.inventory.remove(token, pathOf(object))
  }
  return leftOver
}
