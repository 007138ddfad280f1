import type { Account, ProjectKey } from './ledger.ts'
import type { MadeKey } from './organization.ts'

/** A service account as OpenAI's API shows it. */
export const accountView = ({ id, name, role, createdAt }: Account) => ({
  object: 'organization.project.service_account',
  id,
  name,
  role,
  created_at: createdAt,
})

/** A key that was just made, with its value. */
export const madeView = ({ key, value }: MadeKey) => ({
  object: 'organization.project.service_account.api_key',
  id: key.id,
  name: key.name,
  value,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
})

/** A key as it is listed. */
export const keyView = (key: ProjectKey, account: Account | undefined) => ({
  object: 'organization.project.api_key',
  id: key.id,
  name: key.name,
  redacted_value: key.redacted,
  created_at: key.createdAt,
  expires_at: key.expiresAt,
  last_used_at: key.lastUsedAt,
  owner: { type: 'service_account', service_account: account && accountView(account) },
})

/** One page of a list, as OpenAI's API pages: `limit` (20 by default, at most 100), `after` the last id of the page before. */
export function pageOf<T extends { id: string }>(all: readonly T[], query: URLSearchParams) {
  const limit = Math.min(Math.max(Number(query.get('limit') ?? 20) || 20, 1), 100)
  const after = query.get('after')
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const data = all.slice(from, from + limit)
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: from + limit < all.length,
  }
}
