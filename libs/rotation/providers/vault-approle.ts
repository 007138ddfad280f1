import { isVaultError, type VaultClient, vaultPath } from '#lib/vault'
import { KeyRefusedError, ProviderFailedError } from '../errors.ts'
import type { CreateRequest, ListedKey, ProviderKey, RotationProvider } from '../provider.ts'

/** An AppRole at `auth/approle`, and who makes its secret-ids. */
export interface AppRoleOptions {
  vault: Pick<VaultClient, 'admin' | 'appRoles' | 'inventory' | 'approleLogin' | 'revokeSelf'>
  /** The rotator's own, read anew for each call. */
  token: () => string
  /** Whose secret-ids are rotated; never the rotator's own role. */
  role: string
}

/** Where in a secret-id's metadata the name of its key is. */
const NAME = 'threadbound-key'

/**
 * Secret-ids of an AppRole, for whoever logs in to Vault by itself. A key's id is the secret-id's accessor. Whether a
 * secret-id is valid is looked up before it is tried: five bad logins would lock the role for everyone who uses it.
 */
export class AppRoleProvider implements RotationProvider {
  readonly account: string
  readonly endsKeys = true
  readonly #options: AppRoleOptions

  constructor(options: AppRoleOptions) {
    this.#options = options
    this.account = `vault-approle/${options.role}`
  }

  create({ name, signal }: CreateRequest): Promise<ProviderKey> {
    const { vault, token, role } = this.#options
    return untilAborted(signal, async () => {
      await this.#roleId()
      const { secretId, accessor, uses } = await vault.appRoles.make(token(), role, { [NAME]: name })
      if (uses === 0) return { id: accessor, value: secretId }
      const why = `secret_id_num_uses of AppRole "${role}" is ${uses}; expected 0, as trying a secret-id uses it`
      throw new ProviderFailedError('create', why)
    })
  }

  verify({ value: secretId }: ProviderKey, signal: AbortSignal): Promise<void> {
    const { vault, token, role } = this.#options
    return untilAborted(signal, async () => {
      const roleId = await this.#roleId()
      if (!(await vault.appRoles.find(token(), role, { secretId })))
        throw new KeyRefusedError(`the secret-id of AppRole "${role}"`)
      const login = await vault.approleLogin({ roleId, secretId })
      await vault.revokeSelf(login.token).catch(undefinedWhenRefused)
    })
  }

  /** Tokens that came from it end with their own lives. */
  revoke(accessor: string, signal: AbortSignal): Promise<void> {
    const { vault, token, role } = this.#options
    return untilAborted(signal, async () => {
      await this.#roleId()
      if (await vault.appRoles.find(token(), role, { accessor }))
        await vault.appRoles.destroy(token(), role, accessor)
    })
  }

  findOrphans(namePrefix: string, signal: AbortSignal): Promise<ListedKey[]> {
    const { vault, token, role } = this.#options
    return untilAborted(signal, async () => {
      await this.#roleId()
      const found: ListedKey[] = []
      const path = vaultPath('auth', 'approle', 'role', role, 'secret-id')
      for (const accessor of await vault.inventory.names(token(), path)) {
        signal.throwIfAborted()
        const name = (await vault.appRoles.find(token(), role, { accessor }))?.metadata[NAME]
        if (name?.startsWith(namePrefix)) found.push({ id: accessor, name })
      }
      return found
    })
  }

  identify(secretId: string, signal: AbortSignal): Promise<string | undefined> {
    const { vault, token, role } = this.#options
    return untilAborted(signal, async () => {
      await this.#roleId()
      return (await vault.appRoles.find(token(), role, { secretId }))?.accessor
    })
  }

  /** Asked first: without its role, Vault answers all else as if it were broken itself. */
  async #roleId(): Promise<string> {
    const { vault, token, role } = this.#options
    return vault.admin.roleId(token(), role).catch((error: unknown) => {
      throw isVaultError(error, 'notFound')
        ? new ProviderFailedError('role-id', `no AppRole "${role}"`)
        : error
    })
  }
}

/** A token without the right to end itself, or of type batch, ends with its TTL. */
function undefinedWhenRefused(error: unknown): undefined {
  if (isVaultError(error, 'denied', 'badRequest')) return undefined
  throw error
}

/**
 * Calls to Vault take no signal, and end within seconds by themselves. One that fails in Vault is a failure of the key's
 * provider, which goes on record; one that Vault does not answer is none.
 */
async function untilAborted<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const cut = () => reject(signal.reason as Error)
  signal.addEventListener('abort', cut, { once: true })
  try {
    return await Promise.race([call(), aborted])
  } catch (error) {
    throw isVaultError(error, 'server') ? new ProviderFailedError('vault', error.message) : error
  } finally {
    signal.removeEventListener('abort', cut)
  }
}
