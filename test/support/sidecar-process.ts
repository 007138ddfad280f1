import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { writeResolvedCluster } from '#lib/cluster'
import { configToEnv } from '#lib/runtime'
import { issueWrappedSecretId } from '#lib/vault'
import { onTestFinished } from 'vitest'
import { RedactionLink } from '../../services/worker/redaction.ts'
import { Peer } from './sidecar-peers.ts'
import type { SidecarWorld } from './sidecar-world.ts'

/** The configuration of a second sidecar beside the world's own, with a secret-id of its own. */
export async function configure(world: SidecarWorld) {
  const at = (name: string) => join(world.folder, name)
  const scope = { cluster: world.cluster.name, environment: world.cluster.environment }
  const { wrapped } = await issueWrappedSecretId(world.client, world.rootToken, scope)
  await writeFile(at('second-secret-id'), wrapped.token)
  await writeResolvedCluster(world.cluster, at('cluster.json'))
  return {
    clusterFile: at('cluster.json'),
    redis: world.redisConfig,
    socketDir: at('second'),
    credentialsDir: at('credentials'),
    publicKeyFile: world.keys.publicKeyFile,
    auditFile: at('second-audit.jsonl'),
    vault: {
      address: world.vault.address,
      roleIdFile: world.identityFiles.roleIdFile,
      secretIdFile: at('second-secret-id'),
    },
    supervised: 1,
  }
}

/** The sidecar's process. */
export function start(config: object): ChildProcess {
  const env = { PATH: process.env['PATH'], ...configToEnv(config) }
  return spawn(process.execPath, ['services/sidecar/main.ts'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

/** The first line that it says to its supervisor. */
export async function untilReady(child: ChildProcess): Promise<unknown> {
  const [line] = await once(createInterface({ input: child.stdio[3] as Readable }), 'line')
  return JSON.parse(String(line))
}

/** A worker's connection to the sidecar of that configuration, and the name of its other one for redaction. */
export async function workerOn(config: { socketDir: string }, agentType = 'coder') {
  const path = join(config.socketDir, agentType, 'sidecar.sock')
  const credential = `credential-of-${agentType}`
  const link = new RedactionLink({ path, credential })
  onTestFinished(() => link[Symbol.asyncDispose]())
  link.ready()
  return { path, worker: await Peer.open(path, { role: 'worker', credential }, 1), redaction: link.link }
}

/** A context whose attempt has its grant of the sidecar of that configuration. */
export async function grantedOn(world: SidecarWorld, config: { socketDir: string }, agentType = 'coder') {
  const { path, worker, redaction } = await workerOn(config, agentType)
  const job = await world.job(agentType)
  const context = await Peer.open(path, { role: 'context', context: job.lockToken }, 4)
  const claim = { context: job.lockToken, redaction, ...job, timeoutMs: 60_000 }
  const answer = await worker.ask('POST', '/v1/grants', claim)
  if (answer.status !== 201) throw new Error(`no grant: ${answer.text}`)
  const end = () => worker.ask('DELETE', `/v1/grants/${answer.json.grant}`)
  return { context, worker, job, end }
}
