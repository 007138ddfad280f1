import { applyPolicies, planVault, provePolicies, prunePolicies } from '#lib/vault'
import { CommandError } from '../errors.ts'
import { appliedText, differencesOf, headOf, planText, proofText } from '../policies/report.ts'
import { jsonText } from '../terminal.ts'
import { openVaultTarget, type VaultOptions, type VaultTarget } from '../vault-target.ts'

/** Shows what Vault holds otherwise than the cluster file says, and changes nothing. */
export async function plan(options: VaultOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const found = await planVault(target.client, target.token, target.desired)
  show(target, options, { record: found, text: planText(found) })
}

/** Makes Vault hold what the cluster file says. */
export async function apply(options: VaultOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const done = await applyPolicies(target.client, target.token, target.desired)
  show(target, options, { record: done, text: appliedText(done) })
}

/** Has Vault say what each identity may do; exits 1 unless it is what the cluster file says and nothing more. */
export async function verify(options: VaultOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const { client, token, desired, needs: input } = target
  const found = await planVault(client, token, desired)
  const isComplete = !found.changes.some(({ action }) => action === 'create')
  const proof = isComplete
    ? await provePolicies(client, token, { desired, input })
    : { cells: [], faults: [] }
  const faults = [...differencesOf(found), ...proof.faults.map(({ text }) => text)]
  const record = { ok: faults.length === 0, faults, cells: proof.cells }
  show(target, options, { record, text: proofText(target, { cells: proof.cells, faults }) })
  if (faults.length > 0)
    throw new CommandError('Vault does not give what the cluster file says, no more and no less')
}

/** Removes what carries a name of this cluster and environment and is in no plan. */
export async function prune(options: VaultOptions): Promise<void> {
  await using target = await openVaultTarget(options)
  const removed = await prunePolicies(target.client, target.token, target.desired)
  const lines = removed.map(({ kind, name }) => `- ${kind} ${name}`)
  show(target, options, { record: { removed }, text: [...lines, `${removed.length} removed`].join('\n') })
}

function show(
  target: VaultTarget,
  { json }: VaultOptions,
  { record, text }: { record: object; text: string },
): void {
  const { name: cluster, environment } = target.cluster
  const whole = { vault: target.address, cluster, environment, ...record }
  process.stdout.write(json ? `${jsonText(whole)}\n` : `${headOf(target)}\n\n${text}\n`)
}
