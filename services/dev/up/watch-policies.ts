import { loadCluster, vaultNeeds } from '#lib/cluster'
import { openAlerts, openRedis, queueOf, serviceKeys } from '#lib/queue'
import {
  onDispose,
  parseDurationMs,
  PermanentError,
  readCredential,
  silentLog,
  systemClock,
} from '#lib/runtime'
import {
  type DesiredVault,
  planPolicies,
  planVault,
  type PolicyInput,
  provePolicies,
  VaultClient,
} from '#lib/vault'
import { type PolicyDifference, PolicyWatch } from './policy-watch.ts'
import type { RedisAccess } from './redis.ts'
import type { UpState } from './state-file.ts'

const EVERY = '1h'

/** `TB_POLICY_CHECK_EVERY` is no duration. */
export class PolicyCheckError extends PermanentError {
  override readonly name = 'PolicyCheckError'
  constructor(found: string) {
    super(`TB_POLICY_CHECK_EVERY: expected a duration such as ${EVERY}, found ${JSON.stringify(found)}`)
  }
}

/** How often a running cluster looks at its Vault: every hour, or as `TB_POLICY_CHECK_EVERY` says. @throws PolicyCheckError */
export function policyCheckEveryMs(text = process.env['TB_POLICY_CHECK_EVERY'] || EVERY): number {
  const ms = parseDurationMs(text)
  if (ms === undefined || ms < 100) throw new PolicyCheckError(text)
  return ms
}

/** What watching takes, beside what `up` wrote of itself. */
export interface WatchPoliciesOptions {
  state: UpState
  /** As the sidecar: the alerts are those of its rights. */
  redis: RedisAccess
  everyMs: number
  say: (line: string) => void
}

/** Watches the Vault of a running cluster. The supervisor does, because it alone may read what it has written there. */
export async function watchPolicies({
  state,
  redis: access,
  everyMs,
  say,
}: WatchPoliciesOptions): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const input = vaultNeeds(await loadCluster(state.clusterFile))
  const desired = planPolicies(input)
  const client = stack.use(await VaultClient.open({ address: state.vault }))
  const token = readCredential(state.vaultTokenFile)
  const redis = await openRedis(access, 'reader', { log: silentLog })
  stack.defer(() => redis.disconnect())
  const { names } = desired
  stack.use(
    PolicyWatch.open({
      look: () => differences(client, token, { desired, input }),
      raise: (agentType) =>
        openAlerts(
          redis,
          agentType === undefined ? serviceKeys(names.scope, 'sidecar') : queueOf(names.scope, agentType),
          silentLog,
        ),
      everyMs,
      clock: systemClock,
      say,
    }),
  )
  const opened = stack.move()
  return onDispose(() => opened.disposeAsync())
}

/** What Vault holds otherwise than planned; where that is nothing, what it allows beyond: a group may give a policy too. */
async function differences(
  client: VaultClient,
  token: string,
  { desired, input }: { desired: DesiredVault; input: PolicyInput },
): Promise<PolicyDifference[]> {
  const { changes, leftOver } = await planVault(client, token, desired)
  const found = [
    ...changes.map(({ action, kind, name }) => ({ name, text: `${kind} ${name} ${WAS[action]}` })),
    ...leftOver.map(({ kind, name }) => ({ name, text: `${kind} ${name} is in no plan` })),
  ].map(({ name, text }) => ({ agentType: desired.names.agentTypeOf(name), text }))
  return found.length > 0 ? found : (await provePolicies(client, token, { desired, input })).faults
}

const WAS = { create: 'is missing', update: 'was changed' }
