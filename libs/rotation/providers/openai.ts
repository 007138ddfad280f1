import * as z from 'zod'
import { KeyRefusedError, ProviderFailedError } from '../errors.ts'
import type { CreateRequest, LastUse, ListedKey, ProviderKey, RotationProvider } from '../provider.ts'
import { callApi } from './http.ts'
import { isHintOf } from './key-hint.ts'

/** Where keys of a project are made. */
export interface OpenAiOptions {
  /** `https://api.openai.com`, without a path. */
  baseUrl: string
  project: string
  /** An admin key (`sk-admin-…`), read anew for each call. It is never the key that is rotated. */
  adminKey: () => Promise<string>
}

const Made = z.object({ id: z.string(), api_key: z.object({ id: z.string(), value: z.string().min(8) }) })
const Account = z.object({ id: z.string(), name: z.string() })
const Key = z.object({
  id: z.string(),
  redacted_value: z.string(),
  last_used_at: z.number().nullish(),
  owner: z.object({ service_account: Account.nullish() }).nullish(),
})
type Key = z.infer<typeof Key>
const pageOf = <T extends z.ZodType<{ id: string }>>(item: T) =>
  z.object({ data: z.array(item), has_more: z.boolean(), last_id: z.string().nullish() })

/** An account whose key is unknown or gone: told from a key's id, so that it can be ended too. */
const ACCOUNT = 'account:'
const PAGE = 100

/**
 * OpenAI's project service accounts (https://platform.openai.com/docs/api-reference/project-service-accounts): each
 * rotation makes an account of its own, whose name is the key's, and ends the account before with its key. Keys get no
 * expiry: one that outlived its rotator would take the service down, and what is left over is found by its name.
 */
export class OpenAiProvider implements RotationProvider {
  readonly account: string
  readonly endsKeys = true
  readonly #options: OpenAiOptions

  constructor(options: OpenAiOptions) {
    this.#options = options
    this.account = `openai/${options.project}`
  }

  async create({ name, signal }: CreateRequest): Promise<ProviderKey> {
    const made = await this.#admin('service_accounts', Made, signal, { method: 'POST', json: { name } })
    if (!made) throw new ProviderFailedError('create', `no project "${this.#options.project}"`)
    return { id: made.api_key.id, value: made.api_key.value }
  }

  async verify({ value }: ProviderKey, signal: AbortSignal): Promise<void> {
    const url = `${this.#options.baseUrl}/v1/models`
    const headers = { authorization: `Bearer ${value}` }
    if (!(await callApi({ url, headers, signal, answer: z.object({ data: z.array(z.unknown()) }) })))
      throw new ProviderFailedError('verify', 'GET /v1/models is not there')
  }

  async lastUsed(id: string, signal: AbortSignal): Promise<LastUse> {
    const key = await this.#admin(`api_keys/${id}`, Key, signal)
    return { at: key?.last_used_at ? key.last_used_at * 1000 : null }
  }

  /** A key of an account that we made goes with the account; of any other, the key alone. */
  async revoke(id: string, signal: AbortSignal): Promise<void> {
    if (id.startsWith(ACCOUNT)) return this.#remove(`service_accounts/${id.slice(ACCOUNT.length)}`, signal)
    const key = await this.#admin(`api_keys/${id}`, Key, signal)
    const account = key?.owner?.service_account
    if (!key) return undefined
    return this.#remove(
      account?.name.startsWith('tb/') ? `service_accounts/${account.id}` : `api_keys/${id}`,
      signal,
    )
  }

  async findOrphans(namePrefix: string, signal: AbortSignal): Promise<ListedKey[]> {
    const accounts = await this.#all('service_accounts', Account, signal)
    const ours = accounts.filter(({ name }) => name.startsWith(namePrefix))
    if (ours.length === 0) return []
    const keys = await this.#all('api_keys', Key, signal)
    return ours.flatMap(({ id, name }) => {
      const its = keys.filter((key) => key.owner?.service_account?.id === id)
      return its.length > 0 ? its.map((key) => ({ id: key.id, name })) : [{ id: `${ACCOUNT}${id}`, name }]
    })
  }

  async identify(value: string, signal: AbortSignal): Promise<string | undefined> {
    const keys: Key[] = await this.#all('api_keys', Key, signal)
    const found = keys.filter((key) => isHintOf(key.redacted_value, value))
    return found.length === 1 ? found[0]!.id : undefined
  }

  async #all<T extends { id: string }>(shelf: string, item: z.ZodType<T>, signal: AbortSignal): Promise<T[]> {
    const all: T[] = []
    for (let after = ''; ;) {
      const query = `limit=${PAGE}${after === '' ? '' : `&after=${encodeURIComponent(after)}`}`
      const page = await this.#admin(`${shelf}?${query}`, pageOf(item), signal)
      if (!page) throw new ProviderFailedError('list', `no project "${this.#options.project}"`)
      all.push(...page.data)
      const last = page.last_id ?? page.data.at(-1)?.id
      if (!page.has_more || last === undefined) return all
      after = last
    }
  }

  async #remove(path: string, signal: AbortSignal): Promise<void> {
    await this.#admin(path, z.unknown(), signal, { method: 'DELETE' })
  }

  /** Undefined for 404. A refused admin key is no refusal of the key that is rotated. */
  async #admin<T>(
    path: string,
    answer: z.ZodType<T>,
    signal: AbortSignal,
    { method = 'GET', json }: { method?: 'GET' | 'POST' | 'DELETE'; json?: object } = {},
  ): Promise<T | undefined> {
    const { baseUrl, project, adminKey } = this.#options
    const url = `${baseUrl}/v1/organization/projects/${project}/${path}`
    const headers = { authorization: `Bearer ${await adminKey()}` }
    try {
      return await callApi({ method, url, headers, signal, answer, ...(json && { json }) })
    } catch (error) {
      if (!(error instanceof KeyRefusedError)) throw error
      throw new ProviderFailedError('admin key', error.message)
    }
  }
}
