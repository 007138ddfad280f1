import {
  connectDatabases,
  isMarkedRevoked,
  isVaultError,
  parseAdminUser,
  putSecret,
  removeSecret,
  storedSecret,
} from '#lib/vault'
import { CommandError } from '../errors.ts'
import { recordReveal } from '../secrets/reveal.ts'
import { tellSidecar, toldLines } from '../secrets/changed.ts'
import { checkProvider, consumersOf, isStoodIn, staticSecret } from '../secrets/declared.ts'
import { masked, readingLines } from '../secrets/report.ts'
import { show } from '../secrets/show.ts'
import { SidecarOperator } from '../secrets/sidecar.ts'
import { checkValue, readValue, type ValueFlags } from '../secrets/value.ts'
import { facts, jsonText } from '../terminal.ts'
import { openVaultTarget, type VaultOptions, type VaultTarget } from '../vault-target.ts'

/** Options of a command for one secret, as typed. */
export interface NamedOptions extends VaultOptions {
  name: string
}
export interface CreateOptions extends NamedOptions, ValueFlags {
  provider?: string
}
export interface GetOptions extends NamedOptions {
  reveal?: boolean
  auditFile?: string
}
export interface DeleteOptions extends NamedOptions {
  destroy?: boolean
}

/** Puts a value into Vault: the first, or a newer generation in place of the present one. */
export async function create(options: CreateOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { client, token, cluster, desired } = target
  const secret = staticSecret(cluster, options.name)
  checkProvider(cluster, secret, options.provider)
  const value = await readValue(options, secret.name)
  checkValue(value, { provider: secret.provider, force: options.force === true })
  const { name } = secret
  const before = await storedSecret(client, token, { names: desired.names, name })
  const admin = parseAdminUser(value)
  const databases = admin ? await connectDatabases(client, token, { desired, adminSecret: name, admin }) : []
  const generation = await put(target, { name, value, cas: before?.generation ?? 0, databases })
  if (isStoodIn(cluster, secret)) warnOfStandIn(secret.provider)
  const told = await tellSidecar(target, { action: 'create', secret: name, generation })
  const replaced = before?.isPresent ? before.generation : null
  const head = `${name}: generation ${generation}${replaced === null ? '' : `, in place of generation ${replaced}`}`
  const leased = databases.map((database) => `${database}: leased as this user from now on`)
  show(options, { name, generation, replaced, databases, ...told }, [head, ...toldLines(told), ...leased])
}

/** Shows a value masked; with `--reveal` the value itself and nothing else, once that is on record. */
export async function get(options: GetOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { client, token, cluster, desired } = target
  const { name } = staticSecret(cluster, options.name)
  const entry = await client.kvRead(token, desired.names.secret(name)).catch((error: unknown) => {
    throw isVaultError(error, 'notFound') ? noValue(name) : error
  })
  const { value } = entry.data
  if (typeof value !== 'string' || value === '')
    throw new CommandError(`secret "${name}" in Vault: field "value" is no text, or is empty`)
  const generation = entry.version
  if (options.reveal) {
    const vaultRequest = entry.requestId
    await recordReveal(target, { secret: name, generation, vaultRequest, auditFile: options.auditFile })
    return void process.stdout.write(
      options.json ? `${jsonText({ name, generation, value })}\n` : `${value}\n`,
    )
  }
  const isRevoked = isMarkedRevoked(entry)
  const shown = { name, generation, masked: masked(value), characters: value.length }
  const revoked = ['revoked', 'by an operator: nobody is given it'] as [string, string]
  show(options, { ...shown, isRevoked }, [facts([...Object.entries(shown), ...(isRevoked ? [revoked] : [])])])
}

/** Has the sidecar forget what it knows of a secret, and shows what each agent type finds now. */
export async function refresh(options: NamedOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { name } = staticSecret(target.cluster, options.name)
  if (!target.operator)
    throw new CommandError(
      'refresh speaks to a sidecar: name the data directory of its cluster with --data, or its TB_OPERATOR_SOCKET',
    )
  const readings = await new SidecarOperator(target.operator).refresh(name)
  const none = 'no agent type may use it, so nothing was kept'
  show(options, { name, readings }, readings.length > 0 ? readingLines(readings) : [none])
  if (readings.some(({ error }) => error !== undefined)) process.exitCode = 1
}

/** Takes a secret's value away, all its generations. */
export async function remove(options: DeleteOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { client, token, cluster, desired } = target
  const { names } = desired
  const { name } = staticSecret(cluster, options.name)
  const stored = await storedSecret(client, token, { names, name })
  if (!stored || (!stored.isPresent && !options.destroy)) throw noValue(name)
  await removeSecret(client, token, { names, stored, destroy: options.destroy === true })
  const told = await tellSidecar(target, { action: 'delete', secret: name, generation: stored.generation })
  const how = options.destroy ? 'destroyed for good' : 'deleted; Vault keeps it until --destroy'
  const users = consumersOf(cluster, name)
  const follows =
    users.length > 0 ? [`requests of ${users.join(', ')} that need it fail with secret-not-found`] : []
  const head = `${name}: generation ${stored.generation} and those before ${how}`
  toldLines({ ...told, readings: null })
  show(options, { name, generation: stored.generation, destroyed: options.destroy === true, ...told }, [
    head,
    ...follows,
  ])
}

async function put(
  { client, token, desired }: VaultTarget,
  { databases, ...secret }: { name: string; value: string; cas: number; databases: string[] },
): Promise<number> {
  try {
    return await putSecret(client, token, { ...desired.names.scope, ...secret })
  } catch (error) {
    if (isVaultError(error, 'notFound'))
      throw new CommandError('Vault has no mount kv/ yet: run "threadbound policies apply" first', {
        cause: error,
      })
    if (isVaultError(error, 'conflict'))
      throw new CommandError(
        `${secret.name} was written by someone else at the same time, and is theirs now${leasedAsOther(databases)}`,
        { cause: error },
      )
    throw error
  }
}

/** The databases were told of the user before the value was written. */
function leasedAsOther(databases: string[]): string {
  return databases.length > 0
    ? `; but ${databases.join(', ')}: leased as the user given here until it is created again`
    : ''
}

function warnOfStandIn(provider: string): void {
  const [service] = provider.split('-')
  process.stderr.write(
    `warning: "up" stands in for ${service}, and its stand-in takes no value but the one that was there: calls fail until "up" starts anew. ` +
      `For a real ${service}, leave it out of development.stand-in\n`,
  )
}

const noValue = (name: string) =>
  new CommandError(`secret "${name}" has no value: threadbound secrets create --name ${name}`)
