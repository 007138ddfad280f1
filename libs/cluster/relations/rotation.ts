import type { SecretContent } from '../schema/file.ts'
import type { Check } from './check.ts'

/** What each provider needs to make new keys by itself; of one that is not in here, an operator supplies them. */
const NEEDS: Record<string, readonly string[]> = {
  openai: ['project', 'admin-secret'],
  'postgres-roles': ['roles'],
  'vault-approle': ['role'],
}
/** Keys that are for one provider alone. */
const FOR: Record<string, string> = {
  project: 'openai',
  roles: 'postgres-roles',
  role: 'vault-approle',
}
/** AppRoles of our own services begin so: whoever makes secret-ids of one is that service. */
const OURS = 'tb--'

/** What `rotate` says must fit the secret's provider, or its command. */
export function checkRotation(check: Check, name: string, { provider, rotate }: SecretContent): void {
  const path = ['secrets', name, 'rotate']
  if (provider === 'postgres-roles' && !check.wrote(['secrets', name, 'connect']))
    check.reportKey(['secrets', name], 'a secret of provider postgres-roles needs connect')
  if (!rotate) return
  const needs = rotate.command === undefined ? (NEEDS[provider] ?? []) : []
  for (const key of needs)
    if (!check.wrote([...path, key]))
      check.reportKey(path, `to rotate a secret of provider ${provider} needs ${key}`)
  for (const [key, its] of Object.entries(FOR))
    if (check.wrote([...path, key]) && (provider !== its || rotate.command !== undefined))
      check.reportKey([...path, key], `is for provider ${its} without a command`)
  if (check.wrote([...path, 'also']) && rotate.command === undefined)
    check.reportKey([...path, 'also'], 'is for a command; expected command beside it')
  if (rotate.role?.startsWith(OURS))
    check.report(
      [...path, 'role'],
      "expected an AppRole of others: one of threadbound's own would give its rights away",
    )
  if (rotate.roles && rotate.roles[0] === rotate.roles[1])
    check.report([...path, 'roles'], 'expected two roles; while one is live the other is idle')
}
