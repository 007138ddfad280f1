import type { ProofCell, VaultChange, VaultNames, VaultPlan } from '#lib/vault'
import { printable } from '#lib/traces'
import { table, terminalWidth } from '../terminal.ts'
import type { VaultTarget } from '../vault-target.ts'

const MARK = { create: '+', update: '~' } as const

/** Which Vault it is, and for whom. */
export const headOf = ({ address, cluster }: VaultTarget) =>
  `vault ${address}, cluster ${cluster.name}, environment ${cluster.environment}`

/** A plan as people read it: each change with its lines, what is left over, what waits, and how many of each. */
export function planText({ changes, leftOver, waiting }: VaultPlan): string {
  const lines = [
    ...changes.flatMap(changeLines),
    ...leftOver.map(({ kind, name }) => `- ${kind} ${name}`),
    ...waitingLines(waiting),
  ]
  if (lines.length === 0) return 'Vault holds what the cluster file says, and nothing else of ours.'
  const counts = [
    count(changes.filter(({ action }) => action === 'create').length, 'to create'),
    count(changes.filter(({ action }) => action === 'update').length, 'to change'),
    count(leftOver.length, 'left over, which "policies prune" removes'),
    count(waiting.length, 'waiting'),
  ]
  return [...lines, '', counts.filter(Boolean).join(', ')].map(printable).join('\n')
}

/** What was changed, by name alone. */
export function appliedText({ changes, waiting }: Pick<VaultPlan, 'changes' | 'waiting'>): string {
  const lines = [
    ...changes.map(({ action, kind, name }) => `${MARK[action]} ${kind} ${name}`),
    ...waitingLines(waiting),
  ]
  const done =
    changes.length === 0 ? 'Nothing differed, so nothing was changed.' : `${changes.length} changed`
  return [...lines, done].map(printable).join('\n')
}

/** What each identity may do with each secret, then what is wrong. */
export function proofText(
  { cluster, desired }: VaultTarget,
  { cells, faults }: { cells: ProofCell[]; faults: string[] },
): string {
  const secrets = Object.keys(cluster.secrets)
  const found = Map.groupBy(cells, whose)
  const rows = [...found].map(([who, all]) => [
    who,
    ...secrets.map((secret) => verbs(all.filter(({ path }) => isAbout(path, desired.names, secret)))),
  ])
  const matrix =
    cells.length > 0 ? [table(['agent type', ...secrets], rows, { width: terminalWidth() }), ''] : []
  const paths = new Set(cells.map(({ path }) => path)).size
  const verdict =
    faults.length > 0
      ? `${faults.length} not as declared:`
      : `${paths} paths asked for each of ${rows.length} identities: Vault allows what the cluster file says, nothing more.`
  return [...matrix, verdict, ...faults.map((fault) => printable(`  ${fault}`))].join('\n')
}

/** What differs from the plan, as faults of a proof. */
export function differencesOf({ changes }: VaultPlan): string[] {
  return changes.map(({ action, kind, name }) =>
    action === 'create' ? `${kind} ${name} is missing` : `${kind} ${name} differs from the plan`,
  )
}

const whose = ({ agentType, service }: ProofCell) => agentType ?? `(the ${service} itself)`

/** Every path of a secret or database in Vault ends with its cluster, environment and name. */
function isAbout(path: string, names: VaultNames, secret: string): boolean {
  const entry = names.metadata(secret).slice('kv/metadata'.length)
  return path.endsWith(entry) || path.endsWith(`/${names.database(secret)}`)
}

function verbs(cells: ProofCell[]): string {
  const found = new Set(cells.flatMap((cell) => cell.found))
  return found.size === 0 ? '-' : [...found].join(' ')
}

function changeLines({ action, kind, name, diff }: VaultChange): string[] {
  return [`${MARK[action]} ${kind} ${name}`, ...diff.map((line) => `    ${line}`)]
}

function waitingLines(waiting: VaultPlan['waiting']): string[] {
  return waiting.map(
    ({ secret, adminSecret }) =>
      `? database ${secret} waits for its admin secret: threadbound secrets create --name ${adminSecret} --provider postgres-admin`,
  )
}

const count = (number: number, what: string) => (number > 0 ? `${number} ${what}` : '')
