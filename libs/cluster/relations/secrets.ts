import { ADMIN_PROVIDERS, BUILT_IN_SECRETS } from '../builtin.ts'
import { resolveSecret } from '../resolve.ts'
import type { SecretContent } from '../schema/file.ts'
import type { Check } from './check.ts'
import { checkRotation } from './rotation.ts'

/** What a secret says must fit its provider, and the secrets and routes that it names must be there. */
export function checkSecrets(check: Check): void {
  for (const [name, secret] of Object.entries(check.content.secrets ?? {})) {
    if (secret.provider === 'postgres') checkDatabase(check, name)
    else checkStatic(check, name, secret)
    checkAdmin(check, name, ['connect', secret.connect?.['admin-secret']])
    checkAdmin(check, name, ['rotate', secret.rotate?.['admin-secret']])
    checkRotation(check, name, secret)
  }
  for (const pattern of Object.keys(check.content.models ?? {})) checkRoute(check, pattern)
}

/** Why a secret is not for agents; undefined when it is. */
export function rotatorsReason(check: Check, name: string): string | undefined {
  const secrets = check.content.secrets ?? {}
  const provider = Object.hasOwn(secrets, name) ? secrets[name]!.provider : ''
  if (ADMIN_PROVIDERS.includes(provider)) return `has provider ${provider}, for the rotator and Vault only`
  const named = Object.entries(secrets).find(
    ([, secret]) => secret.connect?.['admin-secret'] === name || secret.rotate?.['admin-secret'] === name,
  )
  return named && `is the admin-secret of "${named[0]}", for the rotator and Vault only`
}

function checkDatabase(check: Check, name: string): void {
  const path = ['secrets', name]
  for (const key of ['connect', 'grant'])
    if (!check.wrote([...path, key])) check.reportKey(path, `a secret of provider postgres needs ${key}`)
  if (check.wrote([...path, 'egress']))
    check.reportKey([...path, 'egress'], 'is for static secrets; a database is reached through connect')
  if (check.wrote([...path, 'rotate']))
    check.reportKey([...path, 'rotate'], 'is for static secrets; a database user is new for each attempt')
  if (check.wrote([...path, 'cache']))
    check.reportKey([...path, 'cache'], 'is for static secrets; a database user is leased, never cached')
  if (check.wrote([...path, 'deliver']))
    check.reportKey([...path, 'deliver'], 'is for static secrets; a database user is leased to the attempt')
}

function checkStatic(check: Check, name: string, secret: SecretContent): void {
  const isOfRoles = secret.provider === 'postgres-roles'
  for (const key of [...(isOfRoles ? [] : ['connect']), 'grant', 'ttl']) {
    const path = ['secrets', name, key]
    if (check.wrote(path))
      check.reportKey(path, `is for provider postgres; "${name}" has provider ${secret.provider}`)
  }
  const { egress } = resolveSecret(name, secret)
  if (secret.deliver === 'broker' && !egress && !check.wrote(['secrets', name, 'egress']))
    check.report(
      ['secrets', name, 'deliver'],
      'expected egress beside deliver: broker, which says where the broker may go',
    )
  if (ADMIN_PROVIDERS.includes(secret.provider) && check.wrote(['secrets', name, 'egress']))
    check.reportKey(['secrets', name, 'egress'], `a secret of provider ${secret.provider} is never brokered`)
}

function checkAdmin(check: Check, name: string, [key, admin]: [string, string | undefined]): void {
  if (admin === undefined) return
  const path = ['secrets', name, key, 'admin-secret']
  const known = check.names('secrets')
  const secrets = check.content.secrets ?? {}
  if (!known.includes(admin)) check.report(path, check.unknownName('secret', admin, known))
  else if (admin === name) check.report(path, 'a secret cannot be its own admin-secret')
  else if (Object.hasOwn(secrets, admin) && secrets[admin]!.provider === 'postgres')
    check.report(
      path,
      `expected a static secret, such as one of provider postgres-admin; "${admin}" has provider postgres`,
    )
}

function checkRoute(check: Check, pattern: string): void {
  const { provider, secret } = check.content.models![pattern]!
  const path = ['models', pattern, 'secret']
  const known = check.names('secrets')
  if (!known.includes(secret) && !Object.hasOwn(BUILT_IN_SECRETS, secret))
    return check.report(
      path,
      check.unknownName('secret', secret, [...known, ...Object.keys(BUILT_IN_SECRETS)]),
    )
  const reason = rotatorsReason(check, secret)
  if (reason) return check.report(path, `"${secret}" ${reason}; no model may use it`)
  checkRouteProvider(check, { path, provider, secret })
}

function checkRouteProvider(check: Check, route: { path: string[]; provider: string; secret: string }): void {
  const { path, provider, secret } = route
  const secrets = check.content.secrets ?? {}
  const declared = Object.hasOwn(secrets, secret) ? resolveSecret(secret, secrets[secret]!) : undefined
  const builtIn = Object.hasOwn(BUILT_IN_SECRETS, secret) ? BUILT_IN_SECRETS[secret] : undefined
  const found = declared ?? (check.wrote(['secrets', secret]) ? undefined : builtIn)
  if (!found) return
  if (['anthropic', 'openai', 'postgres'].includes(found.provider) && found.provider !== provider)
    check.report(path, `"${secret}" has provider ${found.provider}; expected one of provider ${provider}`)
  else if (!found.egress && !check.wrote(['secrets', secret, 'egress']))
    check.report(path, `"${secret}" has no egress, so no model can be reached with it`)
}
