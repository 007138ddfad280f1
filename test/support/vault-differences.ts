/** One answer, as far as it is compared. */
export interface Compared {
  status: number
  error: string | undefined
  /** Names in `data`, and the values of `auth` that are no secret. */
  shape: string
}

export interface Difference {
  name: string
  /** True for a pair of answers that differ for this reason alone. */
  explains: (request: { method: string; path: string }, dev: Compared, real: Compared) => boolean
}

/** Statuses of which each is right, where servers differ. */
export const ANY_OF = {
  /** 200 in place of 204 where there are warnings. */
  written: [200, 204],
  /** Vault queues a revocation, OpenBao carries it out. */
  revoked: [200, 202, 204],
  /** OpenBao warns of an accessor that nobody has, Vault refuses it. */
  revokedAccessorOfNobody: [200, 400],
  accessorOfNobody: [400, 403, 404],
  loginWithoutRoleId: [400, 500],
  /** Vault reads some bodies that are no object only when it is too late for 400. */
  noObject: [400, 500],
  /** An error of the caller in some routes, of the plugin in others. */
  refusedBlocks: [400, 500],
  refusedByDatabase: [400, 500],
}

/** OpenBao lets its configuration alone make audit devices, unless that says otherwise. */
export const isAuditByConfigurationAlone = (body: { errors?: string[] } | undefined) =>
  body?.errors?.[0]?.includes('cannot enable audit device via API') ?? false

/** A real server ends a secret id with its next tidy only, up to an hour after its time. */
export const endsSecretIdsLate = process.env['TB_VAULT_ADDR'] !== undefined

const refused = ({ status }: Compared) => status >= 400
const ends = (text: string) => (request: { path: string }) => request.path.endsWith(text)

/** Everything in which a real Vault or OpenBao may differ from the dev Vault. What is not in here is a bug. */
export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'the text on input that cannot be read, which quotes Go',
    explains: (_, dev, real) =>
      dev.status === real.status &&
      /convert|parsing|parse policy|invalid duration|decode|CIDR|converted/.test(real.error ?? ''),
  },
  {
    name: 'the text on an invalid token: newer Vaults say "invalid token" as well',
    explains: (_, dev, real) =>
      dev.status === 403 && real.status === 403 && real.error!.includes('permission denied'),
  },
  {
    name: 'blocks of addresses that cannot be read: an error of the caller here, 500 in some routes there',
    explains: (_, dev, real) => refused(dev) && refused(real) && /CIDR/.test(`${dev.error} ${real.error}`),
  },
  {
    name: 'leases that others have left on the real server',
    explains: ({ method, path }) => method === 'LIST' && path === 'sys/leases/lookup',
  },
  {
    name: 'OpenBao lets policies be patched, and lists nothing below one',
    explains: ({ method, path }, dev) =>
      ['PATCH', 'LIST'].includes(method) && /^sys\/polic(y|ies\/acl)\//.test(path) && refused(dev),
  },
  {
    name: 'an operation that a route does not know: 404 or 405, or 400 where a field is missed first',
    explains: ({ method }, dev, real) =>
      ['LIST', 'PATCH', 'DELETE', 'GET'].includes(method) &&
      [dev, real].every(({ status }) => [400, 404, 405].includes(status)),
  },
  {
    name: 'a login without role_id: 500, since the alias is looked up before the method refuses it',
    explains: (request, dev, real) => ends('/login')(request) && refused(dev) && real.status === 500,
  },
  {
    name: 'capabilities without a token: 500 in OpenBao',
    explains: (request, dev, real) => ends('/capabilities')(request) && refused(dev) && refused(real),
  },
  {
    name: 'fields that one of them has more: OpenBao’s metadata_cas_required, token_strictly_bind_ip, the old `policies`',
    explains: (_, dev, real) =>
      dev.status === real.status && dev.error === real.error && isSubset(dev.shape, real.shape),
  },
]

function isSubset(dev: string, real: string): boolean {
  const names = new Set(real.split(' '))
  return dev.split(' ').every((name) => names.has(name))
}
