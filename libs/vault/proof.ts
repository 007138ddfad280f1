import { issueWrappedSecretId } from './apply.ts'
import type { VaultClient } from './client.ts'
import { everyPath } from './probe-paths.ts'
import type { DesiredVault, PolicyInput } from './policies.ts'
import { vaultPath } from './path.ts'

const PROBE_TTL_MS = 60_000
/** Paths that Vault is asked about in one call. */
const BATCH = 200

/** What Vault says that an identity may do at one path, against what the cluster file lets it do. */
export interface ProofCell {
  /** An agent type; undefined: the sidecar's own identity. */
  agentType?: string
  path: string
  /** Verbs; none when it may do nothing. */
  expected: string[]
  found: string[]
}

/** What is more or less than expected. */
export interface ProofFault {
  /** As in {@link ProofCell}. */
  agentType?: string
  /** For people. */
  text: string
}

/** What a proof found. */
export interface VaultProof {
  cells: ProofCell[]
  faults: ProofFault[]
}

/**
 * Has Vault itself say what each identity may do, at every path of a secret and at those that lead to more rights. It
 * goes the sidecar's own way: a login of its AppRole, and a token of each type by its role, so that what a role, a group
 * or another policy adds is seen. Everything that it made is revoked at its end.
 * @throws VaultError
 */
export async function provePolicies(
  client: VaultClient,
  token: string,
  { desired, input }: { desired: DesiredVault; input: PolicyInput },
): Promise<VaultProof> {
  const { names } = desired
  const paths = await everyPath(client, token, { desired, input })
  const { roleId, wrapped } = await issueWrappedSecretId(client, token, input)
  const { secret_id: secretId } = await client.unwrap(wrapped.token)
  const sidecar = await client.approleLogin({ roleId, secretId: String(secretId) })
  try {
    const asked: Asked[] = [
      {
        token: sidecar.token,
        policies: sidecar.policies,
        policy: names.sidecar,
        rights: sidecarRights(desired),
      },
    ]
    for (const { name } of input.agentTypes) {
      const minted = await client.createToken(sidecar.token, names.agent(name), { ttlMs: PROBE_TTL_MS })
      const { policies, token: of } = minted
      const rights = agentRights(desired, input, name)
      asked.push({ agentType: name, token: of, policies, policy: names.agent(name), rights })
    }
    const proofs = await Promise.all(asked.map((one) => prove(client, token, { one, paths })))
    return { cells: proofs.flatMap(({ cells }) => cells), faults: proofs.flatMap(({ faults }) => faults) }
  } finally {
    await client.revokeSelf(sidecar.token)
  }
}

/** An identity that Vault is asked about. */
interface Asked {
  agentType?: string
  token: string
  /** What Vault gave it, and the one that it shall have. */
  policies: string[]
  policy: string
  rights: Rights
}
/** Verbs by path; at any other path none. */
type Rights = Map<string, string[]>

function agentRights({ names }: DesiredVault, input: PolicyInput, agentType: string): Rights {
  const { secrets } = input.agentTypes.find(({ name }) => name === agentType)!
  const rights: Rights = new Map([['auth/token/revoke-self', ['update']]])
  for (const { name, kind } of secrets) {
    rights.set(kind === 'static' ? names.secret(name) : names.credentials(name), ['read'])
    if (kind === 'database') rights.set('sys/leases/renew', ['update'])
  }
  return rights
}

function sidecarRights({ names, tokenRoles }: DesiredVault): Rights {
  const verbs = ['lookup-accessor', 'renew-self', 'revoke-accessor', 'revoke-self']
  const update = [
    ...tokenRoles.map(({ name }) => vaultPath('auth', 'token', 'create', name)),
    ...verbs.map((verb) => vaultPath('auth', 'token', verb)),
  ]
  return new Map([
    ...update.map((path): [string, string[]] => [path, ['update']]),
    [names.auditHead('sidecar'), ['create', 'update']],
    ['auth/token/lookup-self', ['read']],
  ])
}

async function prove(
  client: VaultClient,
  token: string,
  { one, paths }: { one: Asked; paths: string[] },
): Promise<VaultProof> {
  const all = [...new Set([...paths, ...one.rights.keys()])]
  const found = await capabilitiesOf(client, token, { of: one.token, paths: all })
  const subject = one.agentType === undefined ? {} : { agentType: one.agentType }
  const cells = all.map((path): ProofCell => {
    return { ...subject, path, expected: one.rights.get(path) ?? [], found: found[path]! }
  })
  const who = one.agentType === undefined ? 'the sidecar' : `agent type ${one.agentType}`
  const texts = [...policyFaults(one), ...cells.flatMap(cellFault)]
  return { cells, faults: texts.map((text) => ({ ...subject, text: `${who}${text}` })) }
}

function policyFaults({ policies, policy }: Asked): string[] {
  const others = policies.filter((other) => other !== policy).map((other) => ` has policy "${other}" too`)
  return policies.includes(policy) ? others : [...others, ` has no policy "${policy}"`]
}

async function capabilitiesOf(
  client: VaultClient,
  token: string,
  { of, paths }: { of: string; paths: string[] },
): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {}
  for (let at = 0; at < paths.length; at += BATCH)
    Object.assign(found, await client.capabilities(token, of, paths.slice(at, at + BATCH)))
  for (const path of paths) found[path] = found[path]!.filter((verb) => verb !== 'deny').toSorted()
  return found
}

function cellFault({ path, expected, found }: ProofCell): string[] {
  if (list(expected) === list(found)) return []
  return [`: ${path}: may ${list(found)}, expected ${list(expected)}`]
}

const list = (verbs: string[]) => (verbs.length > 0 ? verbs.join(', ') : 'nothing')
