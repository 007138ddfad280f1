import type { VaultAuth } from './answers.ts'
import { issueWrappedSecretId } from './apply.ts'
import type { VaultClient } from './client.ts'
import type { VaultScope, VaultService } from './names.ts'
import { isVaultError } from './errors.ts'
import { everyPath } from './probe-paths.ts'
import type { DesiredVault, PolicyInput } from './policies.ts'
import { vaultPath } from './path.ts'
import { rotatorRights } from './rotator-rights.ts'

const PROBE_TTL_MS = 60_000
/** Paths that Vault is asked about in one call. */
const BATCH = 200

/** Whose identity: an agent type's, or a service's own. */
export interface ProofSubject {
  agentType?: string
  service?: VaultService
}

/** What Vault says that an identity may do at one path, against what the cluster file lets it do. */
export interface ProofCell extends ProofSubject {
  path: string
  /** Verbs; none when it may do nothing. */
  expected: string[]
  found: string[]
}

/** What is more or less than expected. */
export interface ProofFault extends ProofSubject {
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
 * goes the services' own way: a login of their AppRoles, and a token of each type by its role, so that what a role, a group
 * or another policy adds is seen. Everything that it made is revoked at its end.
 * @throws VaultError
 */
export async function provePolicies(
  client: VaultClient,
  token: string,
  { desired, input }: Proving,
): Promise<VaultProof> {
  const paths = await everyPath(client, token, { desired, input })
  await using logins = new AsyncDisposableStack()
  const logIn = async (service: VaultService) => {
    const login = await logInAs(client, token, { ...input, service })
    logins.defer(() => end(client, token, login))
    return login
  }
  const asked = await identities(client, { desired, input, logIn })
  const proofs = await Promise.all(asked.map((one) => prove(client, token, { one, paths })))
  return { cells: proofs.flatMap(({ cells }) => cells), faults: proofs.flatMap(({ faults }) => faults) }
}

async function logInAs(
  client: VaultClient,
  token: string,
  of: VaultScope & { service: VaultService },
): Promise<VaultAuth> {
  const { roleId, wrapped } = await issueWrappedSecretId(client, token, of)
  const { secret_id: secretId } = await client.unwrap(wrapped.token)
  return client.approleLogin({ roleId, secretId: String(secretId) })
}

/** A policy that was changed by hand may not even let its token end itself. */
async function end(client: VaultClient, token: string, login: VaultAuth): Promise<void> {
  await client.revokeSelf(login.token).catch((error: unknown) => {
    if (!isVaultError(error, 'denied')) throw error
    return client.revokeAccessor(token, login.accessor)
  })
}

async function identities(
  client: VaultClient,
  { desired, input, logIn }: Proving & { logIn: (service: VaultService) => Promise<VaultAuth> },
): Promise<Asked[]> {
  const { names } = desired
  const { rotated = [] } = input
  const sidecar = await logIn('sidecar')
  const asked: Asked[] = []
  for (const { name } of input.agentTypes) {
    const minted = await client.createToken(sidecar.token, names.agent(name), { ttlMs: PROBE_TTL_MS })
    const rights = agentRights(desired, input, name)
    asked.push({ agentType: name, ...minted, policy: names.agent(name), rights })
  }
  asked.push({ service: 'sidecar', ...sidecar, policy: names.sidecar, rights: sidecarRights(desired) })
  if (rotated.length > 0) {
    const rights = rotatorRights(names, rotated)
    asked.push({ service: 'rotator', ...(await logIn('rotator')), policy: names.rotator, rights })
  }
  return asked
}

interface Proving {
  desired: DesiredVault
  input: PolicyInput
}

/** An identity that Vault is asked about. */
interface Asked extends ProofSubject {
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
  const { agentType, service } = one
  const subject: ProofSubject = agentType === undefined ? { service: service! } : { agentType }
  const cells = all.map((path): ProofCell => {
    return { ...subject, path, expected: one.rights.get(path) ?? [], found: found[path]! }
  })
  const who = agentType === undefined ? `the ${service}` : `agent type ${agentType}`
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
