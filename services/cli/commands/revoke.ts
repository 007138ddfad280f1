import { createInterface } from 'node:readline/promises'
import { type Secret, secretKind } from '#lib/cluster'
import { messageOf } from '#lib/runtime'
import { markRevoked, storedSecret } from '#lib/vault'
import { CommandError, UsageError } from '../errors.ts'
import { declaredSecret } from '../secrets/declared.ts'
import { type Hit, type Revoked, SidecarOperator } from '../secrets/sidecar.ts'
import { show } from '../secrets/show.ts'
import { findTarget } from '../target.ts'
import { table, terminalWidth } from '../terminal.ts'
import { openVaultTarget, type VaultOptions, type VaultTarget } from '../vault-target.ts'

/** Options of `revoke`, as typed. */
export interface RevokeOptions extends VaultOptions {
  secret?: string
  agent?: string
  trace?: string
  keepRunning?: boolean
  yes?: boolean
}

/** What was done; `warnings`: what could not be. */
interface Done extends Revoked {
  lines: string[]
  warnings: string[]
}

const UNTOLD = 'the other sidecars of the cluster do not know yet: they are told when Redis answers'

/** Ends what is held of a secret, by an agent type or in a trace; exits 1 when a part of it could not be done. */
export async function revoke(options: RevokeOptions): Promise<void> {
  const { secret, agent, trace } = options
  if ([secret, agent, trace].filter((one) => one !== undefined).length !== 1)
    throw new UsageError('expected one of --secret, --agent and --trace')
  await using target = await openVaultTarget(options)
  if (!target.operator)
    throw new CommandError(
      'revoke speaks to a sidecar: name the data directory of its cluster with --data, or its TB_OPERATOR_SOCKET',
    )
  const sidecar = new SidecarOperator(target.operator)
  const keepRunning = options.keepRunning === true
  const done =
    secret !== undefined
      ? await revokeSecret(target, sidecar, { secret: declaredSecret(target.cluster, secret), keepRunning })
      : agent !== undefined
        ? await revokeAgent(sidecar, { agent, keepRunning })
        : await revokeTrace(sidecar, { ...options, trace: trace!, keepRunning })
  if (!done.isTold) done.warnings.push(UNTOLD)
  const { lines, ...record } = done
  for (const warning of done.warnings) process.stderr.write(`warning: ${warning}\n`)
  show(options, record, [...hitLines(done), ...lines])
  if (done.warnings.length > 0) process.exitCode = 1
}

/** First the sidecar, which is quickest; then Vault, which tells every other one. */
async function revokeSecret(
  target: VaultTarget,
  sidecar: SidecarOperator,
  { secret, keepRunning }: { secret: Secret; keepRunning: boolean },
): Promise<Done> {
  const { client, token, desired } = target
  const { name } = secret
  const { names } = desired
  const warnings: string[] = []
  const failed = (error: unknown) => void warnings.push(`not noted in Vault: ${messageOf(error)}`)
  if (secretKind(secret) === 'database') {
    const revoked = await sidecar.revoke({ secret: name }, { keepRunning })
    await client.admin.revokePrefix(token, 'database', 'creds', names.database(name)).catch(failed)
    return { ...revoked, warnings, lines: ['its leases have ended on every host; new attempts lease anew'] }
  }
  const cut = await sidecar.revoke({ secret: name }, { keepRunning })
  const stored = await storedSecret(client, token, { names, name }).catch(failed)
  const generation = stored?.generation
  if (generation === undefined) return { ...cut, warnings, lines: [] }
  await markRevoked(client, token, { names, name, generation }).catch(failed)
  // A generation that no sidecar had read yet, and whoever was given it meanwhile.
  const late = await sidecar.revoke({ secret: name, generation }, { keepRunning })
  // One that keeps running is concerned twice.
  const both = [...cut.attempts, ...late.attempts].map(
    (hit) => [`${hit.requestId} ${hit.attempt}`, hit] as const,
  )
  const attempts = [...new Map(both).values()]
  const revokedLeases = cut.revokedLeases + late.revokedLeases
  const isTold = cut.isTold && late.isTold
  const lines = [`generation ${generation} is given to nobody`, nextStep(secret)]
  return { attempts, revokedLeases, isTold, warnings, lines }
}

const nextStep = ({ name, rotate }: Secret) =>
  rotate
    ? `its key is still valid at ${name}'s provider: threadbound secrets rotate --name ${name} --now --revoke-old`
    : `its key may still be valid at its provider: end it there, then threadbound secrets create --name ${name}`

async function revokeAgent(
  sidecar: SidecarOperator,
  { agent, keepRunning }: { agent: string; keepRunning: boolean },
): Promise<Done> {
  const revoked = await sidecar.revoke({ agentType: agent }, { keepRunning })
  return { ...revoked, warnings: [], lines: [`${agent}: its token has ended, and what was cached is gone`] }
}

/** Shows what it will hit, asks who sits at a terminal, then ends it and cancels the requests, so that none is attempted again. */
async function revokeTrace(
  sidecar: SidecarOperator,
  { trace, keepRunning, ...options }: RevokeOptions & { trace: string; keepRunning: boolean },
): Promise<Done> {
  const { attempts: expected } = await sidecar.revoke({ trace }, { keepRunning, dryRun: true })
  process.stderr.write(`${hitLines({ attempts: expected, revokedLeases: 0 }).join('\n')}\n`)
  if (!options.yes && process.stdin.isTTY && !(await isConfirmed('Revoke this?')))
    throw new CommandError('nothing was revoked')
  const revoked = await sidecar.revoke({ trace }, { keepRunning })
  const requests = new Set([...expected, ...revoked.attempts].map(({ requestId }) => requestId))
  const warnings = keepRunning ? [] : await cancelAll([...requests], options)
  const cancelled = keepRunning ? [] : [`${requests.size} requests cancelled`]
  return { ...revoked, warnings, lines: [...cancelled, `nothing is granted in trace ${trace} any more`] }
}

/** Gives what could not be cancelled. */
async function cancelAll(requests: string[], options: RevokeOptions): Promise<string[]> {
  if (requests.length === 0) return []
  const { producer } = findTarget({ data: options.data })
  const ends = await Promise.allSettled(requests.map((id) => producer.cancel(id)))
  return ends.flatMap((end, at) =>
    end.status === 'rejected' ? [`request ${requests[at]} not cancelled: ${messageOf(end.reason)}`] : [],
  )
}

async function isConfirmed(question: string): Promise<boolean> {
  using prompt = createInterface({ input: process.stdin, output: process.stderr })
  return /^y(es)?$/i.test(await prompt.question(`${question} [y/N] `))
}

function hitLines({ attempts, revokedLeases }: Pick<Revoked, 'attempts' | 'revokedLeases'>): string[] {
  if (attempts.length === 0) return ['no running attempt holds it']
  const rows = attempts.map(({ agentType, requestId, attempt, secrets }: Hit) => [
    requestId,
    agentType,
    attempt,
    secrets.join(', ') || 'none yet',
  ])
  return [
    table(['request', 'agent type', 'attempt', 'secrets used'], rows, { width: terminalWidth() }),
    `${attempts.length} running attempts, ${revokedLeases} leases revoked`,
  ]
}
