import * as z from 'zod'
import { KeyAwaitedError, KeyRefusedError, ProviderFailedError } from '../errors.ts'
import type { CreateRequest, ProviderKey, RotationProvider } from '../provider.ts'
import { callApi } from './http.ts'
import { isHintOf } from './key-hint.ts'

/** Where keys are turned off and archived. */
export interface AnthropicOptions {
  /** `https://api.anthropic.com`, without a path. */
  baseUrl: string
  /** The secret that is rotated: named when its next key is awaited. */
  secret: string
  /** An admin key (`sk-ant-admin…`), read anew for each call. Never the key that is rotated. Without one, no key is ended. */
  adminKey?: (() => Promise<string>) | undefined
}

type Status = 'active' | 'inactive' | 'archived'

const VERSION = { 'anthropic-version': '2023-06-01' }
const PAGE = 100
const Key = z.object({ id: z.string(), partial_key_hint: z.string().nullish(), status: z.string() })
type Key = z.infer<typeof Key>
const Page = z.object({ data: z.array(Key), has_more: z.boolean(), last_id: z.string().nullish() })

/**
 * Anthropic's API keys. Its Admin API (https://platform.claude.com/docs/en/api/beta/organization/api_keys/update) makes none, so
 * an operator supplies each; all else is done here. Keys are told by the hints in the list.
 */
export class AnthropicProvider implements RotationProvider {
  readonly account = 'anthropic'
  readonly endsKeys: boolean
  readonly awaitsKeys = true
  readonly #options: AnthropicOptions

  constructor(options: AnthropicOptions) {
    this.#options = options
    this.endsKeys = options.adminKey !== undefined
  }

  /**
   * Takes what was supplied, once it is known to be a key of the organization that is not live already: a rotation that
   * fails ends the key that it took, and must not end another.
   */
  async create({ supplied, oldKeyId, signal }: CreateRequest): Promise<ProviderKey> {
    if (!supplied) throw new KeyAwaitedError(this.#options.secret)
    if (!this.endsKeys) return supplied
    const id = await this.identify(supplied.value, signal)
    if (id === undefined)
      throw new ProviderFailedError(
        'create',
        'no one key of the organization has the hint of the supplied one',
      )
    if (id === oldKeyId)
      throw new ProviderFailedError('create', 'the supplied key is the one that is live; supply a new one')
    return { id, value: supplied.value }
  }

  async verify({ value }: ProviderKey, signal: AbortSignal): Promise<void> {
    const url = `${this.#options.baseUrl}/v1/models`
    const headers = { ...VERSION, 'x-api-key': value }
    if (!(await callApi({ url, headers, signal, answer: z.object({ data: z.array(z.unknown()) }) })))
      throw new ProviderFailedError('verify', 'GET /v1/models is not there')
  }

  disable(id: string, signal: AbortSignal): Promise<void> {
    return this.#turn(id, 'inactive', signal)
  }

  enable(id: string, signal: AbortSignal): Promise<void> {
    return this.#turn(id, 'active', signal)
  }

  /** An archived key stays in the list, and can never be active again. */
  revoke(id: string, signal: AbortSignal): Promise<void> {
    return this.#turn(id, 'archived', signal)
  }

  /** No key is of our making, so none can be left over. */
  async findOrphans(): Promise<[]> {
    return []
  }

  async identify(value: string, signal: AbortSignal): Promise<string | undefined> {
    if (!this.endsKeys) return undefined
    const found: Key[] = []
    for (let after = ''; ;) {
      const query = `limit=${PAGE}${after === '' ? '' : `&after_id=${encodeURIComponent(after)}`}`
      const page = await this.#admin(`?${query}`, Page, signal)
      if (!page) throw new ProviderFailedError('list', 'the Admin API is not there')
      found.push(...page.data.filter((key) => isHintOf(key.partial_key_hint ?? '', value)))
      const last = page.last_id ?? page.data.at(-1)?.id
      if (!page.has_more || last === undefined) return found.length === 1 ? found[0]!.id : undefined
      after = last
    }
  }

  /** A key that is there no more, or can be used no more, is left. */
  async #turn(id: string, status: Status, signal: AbortSignal): Promise<void> {
    if (!this.endsKeys) return
    const path = `/${encodeURIComponent(id)}`
    const key = await this.#admin(path, Key, signal)
    const isDead = key?.status === 'archived' || key?.status === 'expired'
    if (!key || key.status === status || (isDead && status === 'inactive')) return
    await this.#admin(path, Key, signal, { status })
  }

  /** Undefined for 404. A refused admin key is no refusal of the key that is rotated. */
  async #admin<T>(
    path: string,
    answer: z.ZodType<T>,
    signal: AbortSignal,
    json?: { status: Status },
  ): Promise<T | undefined> {
    const { baseUrl, adminKey } = this.#options
    const url = `${baseUrl}/v1/organizations/api_keys${path}`
    const headers = { ...VERSION, 'x-api-key': (await adminKey?.()) ?? '' }
    try {
      return await callApi({ url, headers, signal, answer, ...(json && { method: 'POST', json }) })
    } catch (error) {
      if (!(error instanceof KeyRefusedError)) throw error
      throw new ProviderFailedError('admin key', error.message)
    }
  }
}
