import { readFileSync } from 'node:fs'
import { type Cluster, loadCluster, vaultNeeds, type VaultNeeds } from '#lib/cluster'
import type { OperatorAccess } from '#lib/http'
import { messageOf } from '#lib/runtime'
import { type DesiredVault, planPolicies, VaultClient } from '#lib/vault'
import { CommandError, UsageError } from './errors.ts'
import { readKey, readState, type UpState } from './target.ts'

/** Options that say which Vault a command speaks to, and for which cluster. */
export interface VaultOptions {
  data: string
  /** The cluster file: then the Vault is the one of VAULT_ADDR. */
  cluster?: string
  vaultTokenFile?: string
  json?: boolean
}

/** A Vault as an operator reaches it, and what it shall hold. */
export interface VaultTarget extends AsyncDisposable {
  client: VaultClient
  token: string
  address: string
  cluster: Cluster
  needs: VaultNeeds
  desired: DesiredVault
  /** The running cluster whose Vault it is; undefined for a Vault outside. */
  up: UpState | undefined
  /** Where a sidecar of the cluster takes an operator's word; undefined where none is named. */
  operator: OperatorAccess | undefined
  /** The same of its rotator. */
  rotator: OperatorAccess | undefined
}

/**
 * The Vault of the cluster that `up` runs on the data directory; with `--cluster`, the one of VAULT_ADDR, as VAULT_TOKEN or
 * `--vault-token-file` says (VAULT_NAMESPACE and VAULT_CACERT count too, and TB_OPERATOR_SOCKET with
 * TB_OPERATOR_CREDENTIAL_FILE for the sidecar, TB_ROTATOR_SOCKET with TB_ROTATOR_CREDENTIAL_FILE for the rotator). @throws CommandError, ClusterFileError
 */
export async function openVaultTarget(options: VaultOptions): Promise<VaultTarget> {
  const found = options.cluster === undefined ? ofRunning(options) : ofEnvironment(options, process.env)
  const cluster = await loadCluster(found.clusterFile)
  const needs = vaultNeeds(cluster)
  const client = await openClient(found)
  const { address, token, up, operator, rotator } = found
  const desired = planPolicies(needs)
  return {
    client,
    token,
    address,
    cluster,
    needs,
    desired,
    up,
    operator,
    rotator,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

interface Found {
  address: string
  token: string
  clusterFile: string
  up?: UpState
  operator: OperatorAccess | undefined
  rotator: OperatorAccess | undefined
  namespace?: string | undefined
  ca?: string | undefined
}

function ofRunning({ data, vaultTokenFile }: VaultOptions): Found {
  const up = readState(data, 'give --cluster FILE with VAULT_ADDR and VAULT_TOKEN')
  const { vault: address, clusterFile } = up
  const tokenFile = vaultTokenFile ?? up.vaultTokenFile
  if (!address || !clusterFile || !tokenFile)
    throw new CommandError(
      `${data}/up.json says nothing of a Vault: give --cluster FILE with VAULT_ADDR and VAULT_TOKEN`,
    )
  return { address, clusterFile, token: readKey(tokenFile), up, operator: up.operator, rotator: up.rotator }
}

function ofEnvironment({ cluster, vaultTokenFile }: VaultOptions, env: NodeJS.ProcessEnv): Found {
  const address = env['VAULT_ADDR']
  const token = vaultTokenFile === undefined ? env['VAULT_TOKEN'] : readKey(vaultTokenFile)
  if (!address) throw new UsageError('--cluster needs VAULT_ADDR, the address of the Vault')
  if (!token)
    throw new UsageError('--cluster needs VAULT_TOKEN or --vault-token-file, a token of an operator')
  const caFile = env['VAULT_CACERT']
  const ca = caFile ? readAuthority(caFile) : undefined
  const namespace = env['VAULT_NAMESPACE'] || undefined
  const operator = socketOf(env, 'OPERATOR')
  const rotator = socketOf(env, 'ROTATOR')
  return { address, token, clusterFile: cluster!, namespace, ca, operator, rotator }
}

function socketOf(env: NodeJS.ProcessEnv, whose: 'OPERATOR' | 'ROTATOR'): OperatorAccess | undefined {
  const names = [`TB_${whose}_SOCKET`, `TB_${whose}_CREDENTIAL_FILE`] as const
  const [socket, credentialFile] = names.map((name) => env[name])
  if (!socket !== !credentialFile) throw new UsageError(`${names.join(' and ')}: expected both or neither`)
  return socket && credentialFile ? { socket, credentialFile } : undefined
}

async function openClient({ address, namespace, ca }: Found): Promise<VaultClient> {
  try {
    return await VaultClient.open({ address, namespace, ca })
  } catch (cause) {
    throw new UsageError(`VAULT_ADDR: ${messageOf(cause)}`)
  }
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`VAULT_CACERT: ${messageOf(cause)}`)
  }
}
