import { randomBytes } from 'node:crypto'
import { DevVault, type DevVaultOptions } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'

export interface VaultAnswer {
  status: number
  headers: Headers
  /** The parsed body; undefined when it is empty. */
  body: any
}

/** Calls as one token: `as(token)('GET', 'kv/data/a')`. Plain fetch, nothing of ours in between. */
export type VaultCall = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<VaultAnswer>

export interface VaultTarget extends AsyncDisposable {
  address: string
  /** A server at TB_VAULT_ADDR, not the dev Vault. */
  isReal: boolean
  /** A server of HashiCorp's, community edition; else the dev Vault or OpenBao, which the dev Vault follows where they differ. */
  isVault: boolean
  root: VaultCall
  rootToken: string
  /** What unseals it again: of a real server those in TB_VAULT_UNSEAL_KEYS, with commas between; without them none. */
  unsealKeys: string[]
  as(token: string): VaultCall
  /** A name that nothing else uses. */
  unique(label: string): string
}

/** The server under test: the one at TB_VAULT_ADDR (root token in TB_VAULT_TOKEN), else a dev Vault. */
export async function openVaultTarget(options: Partial<DevVaultOptions> = {}): Promise<VaultTarget> {
  const address = process.env['TB_VAULT_ADDR']
  if (address)
    return targetAt(address, {
      isVault: (await callAt(address, '')('GET', 'sys/health')).body.version.startsWith('1.'),
      rootToken: process.env['TB_VAULT_TOKEN'] ?? '',
      unsealKeys: process.env['TB_VAULT_UNSEAL_KEYS']?.split(',') ?? [],
    })
  const rootToken = `root-${randomBytes(16).toString('hex')}`
  const vault = await DevVault.open({ clock: systemClock, rootToken, log: silentLog, ...options })
  return targetAt(vault.address, { rootToken, unsealKeys: [vault.unsealKey!], vault })
}

/** A server that was never initialised: the one at TB_VAULT_FRESH_ADDR, which can be used once, else a dev Vault. */
export async function openFreshTarget(): Promise<VaultTarget> {
  const address = process.env['TB_VAULT_FRESH_ADDR']
  if (address) return targetAt(address, { rootToken: '', unsealKeys: [] })
  const vault = await DevVault.open({ clock: systemClock, log: silentLog })
  return targetAt(vault.address, { rootToken: '', unsealKeys: [], vault })
}

interface Known {
  isVault?: boolean
  rootToken: string
  unsealKeys: string[]
  vault?: DevVault
}

function targetAt(given: string, { rootToken, unsealKeys, vault, isVault = false }: Known): VaultTarget {
  const address = given.replace(/\/$/, '')
  const as = (token: string) => callAt(address, token)
  return {
    address,
    isReal: vault === undefined,
    isVault,
    root: as(rootToken),
    rootToken,
    unsealKeys,
    as,
    unique: (label) => `tbc-${label}-${randomBytes(4).toString('hex')}`,
    async [Symbol.asyncDispose]() {
      await vault?.[Symbol.asyncDispose]()
    },
  }
}

/** Calls of a server as one token. */
export function callAt(address: string, token: string): VaultCall {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(token && { 'x-vault-token': token }), ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined }
  }
}

/** A token with one policy of this text, made by root. */
export async function tokenWith(
  target: VaultTarget,
  policy: string,
  request: Record<string, unknown> = {},
): Promise<{ token: string; call: VaultCall; accessor: string; policy: string }> {
  const name = target.unique('policy')
  await target.root('PUT', `sys/policies/acl/${name}`, { policy })
  const made = await target.root('POST', 'auth/token/create', {
    policies: [name],
    no_default_policy: true,
    ttl: '10m',
    ...request,
  })
  const { client_token: token, accessor } = made.body.auth
  return { token, accessor, policy: name, call: target.as(token) }
}

/** A fresh KV v2 mount; waits until it takes writes. */
export async function mountKv(target: VaultTarget): Promise<string> {
  const mount = target.unique('kv')
  await target.root('POST', `sys/mounts/${mount}`, { type: 'kv', options: { version: '2' } })
  for (let tries = 0; tries < 100; tries++) {
    const ready = await target.root('POST', `${mount}/data/ready`, { data: { is: 'ready' } })
    if (ready.status === 200) return mount
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('the KV mount takes no writes')
}
