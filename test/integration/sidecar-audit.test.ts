import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { AuditLog } from '#lib/audit'
import { silentLog } from '#lib/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openOperatorSocket } from '../../services/sidecar/operator-socket.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

/** The kernel names this process: it is worker, context and operator here. */
const HERE = `${hostname()} uid ${process.getuid!()} pid ${process.pid}`
let world: SidecarWorld
let vaultLog: string
beforeAll(async () => {
  world = await openSidecarWorld()
  vaultLog = join(world.folder, 'vault-audit.jsonl')
  const enabled = await fetch(`${world.vault.address}/v1/sys/audit/file`, {
    method: 'PUT',
    headers: { 'x-vault-token': world.rootToken },
    body: JSON.stringify({ type: 'file', options: { file_path: vaultLog } }),
  })
  expect(enabled.status).toBe(204)
})
afterAll(() => world[Symbol.asyncDispose]())

const linesOf = async (requestId: string) =>
  (await world.auditLines()).filter((line) => line.requestId === requestId)

/** What Vault's own audit log has of a request. */
async function inVault(id: string) {
  const lines = (await readFile(vaultLog, 'utf8')).trim().split('\n')
  return lines
    .map((line) => JSON.parse(line))
    .find(({ type, request: { id: found } }) => type === 'response' && found === id)
}

const dialled = async (jobId: string) => (await linesOf(jobId)).filter(({ action }) => action === 'dialled')

describe('I8: a line says where the use came from, where it went, and under which id Vault has it', () => {
  test('a value that is read: of the request that brought it, for every attempt that gets it from the cache', async () => {
    const attempts = [await world.granted('writer'), await world.granted('writer')]
    const ids = []
    for (const { context, job } of attempts) {
      expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
      const lines = await linesOf(job.jobId)
      expect(lines.map(({ action, source }) => [action, source])).toEqual([
        ['grant', HERE],
        ['read', HERE],
      ])
      ids.push(lines[1].vaultRequest)
    }
    expect(ids[0]).toBe(ids[1])
    expect((await inVault(ids[0])).request).toMatchObject({ path: world.names.secret('plain') })
  })

  test('a lease: a second line with the user that Vault has made, which its log knows by request and attempt', async () => {
    const { context, job, end } = await world.granted('coder')
    const lease = await context.ask('POST', '/v1/leases', { name: 'orders-db' })
    expect((await context.connect('orders-db:0')).status).toBe(200)
    await end()
    await expect.poll(async () => (await linesOf(job.jobId)).at(-1).action).toBe('revoke')
    const lines = await linesOf(job.jobId)
    const { user } = lease.json.credentials
    const database = world.cluster.secrets['orders-db']!.connect!
    expect(lines).toMatchObject([
      { action: 'grant' },
      { action: 'lease' },
      { action: 'leased', user, vaultRequest: expect.any(String) },
      { action: 'relay', to: `${database.socket}:5432` },
      { action: 'dialled', dialled: database.socket },
      { action: 'revoke', source: HERE },
    ])
    const theirs = await inVault(lines[2].vaultRequest)
    expect(theirs.request.path).toBe(world.names.credentials('orders-db'))
    expect(theirs.auth.metadata).toMatchObject({ request: job.jobId, attempt: '1' })
  })

  test('a key that is carried: the host that it is declared for, and once each address that was dialled', async () => {
    const { context, job } = await world.granted('writer')
    const base = world.cluster.secrets['web']!.egress!.baseUrl
    const { port } = new URL(base)
    const fetchModels = () => context.ask('GET', '/v1/fetch', undefined, { 'x-tb-url': `${base}/v1/models` })
    for (const { status } of [await fetchModels(), await fetchModels()]) expect(status).toBe(200)
    expect((await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).status).toBe(200)
    const uses = async () => (await linesOf(job.jobId)).filter(({ action }) => action !== 'grant')
    // An answer waits for the record of its use, and not for that of the address.
    await expect
      .poll(async () =>
        (await uses()).map(({ action, secret, to, dialled }) => [action, secret, to ?? dialled]),
      )
      .toEqual([
        ['egress', 'web', `localhost:${port}`],
        ['dialled', 'web', `127.0.0.1:${port}`],
        ['egress', 'web', `localhost:${port}`],
        ['model', 'anthropic-api-key', `127.0.0.1:${port}`],
        ['dialled', 'anthropic-api-key', `127.0.0.1:${port}`],
      ])
    for (const { vaultRequest } of (await uses()).filter(({ to }) => to))
      expect((await inVault(vaultRequest)).request.operation).toBe('read')
  })

  test('calls at once to one host each know the address of their own connection', async () => {
    const contexts = await Promise.all(Array.from({ length: 8 }, () => world.granted('writer')))
    const ask = ({ context }: (typeof contexts)[0]) =>
      context.ask('POST', '/v1/model/generate', { prompt: 'hi' })
    expect((await Promise.all(contexts.map(ask))).map(({ status }) => status)).toEqual(Array(8).fill(200))
    for (const { job } of contexts) await expect.poll(() => dialled(job.jobId)).toHaveLength(1)
  })

  test('a refusal, and an act of an operator, whose name is a claim', async () => {
    const worker = await world.worker('writer')
    const job = await world.job('writer', { lock: false })
    await worker.ask('POST', '/v1/grants', { context: 'nobody', ...job })
    await expect
      .poll(() => linesOf(job.jobId))
      .toMatchObject([{ action: 'deny', reason: 'lock-not-held', source: HERE }])

    const at = (name: string) => join(world.folder, name)
    await writeFile(at('op'), 'credential-of-the-operator')
    await using audit = await AuditLog.open({ file: at('operator.log') })
    const access = { socket: at('op.sock'), credentialFile: at('op') }
    await using _operator = await openOperatorSocket(access, {
      ...world,
      revocations: world.sidecar.revocations,
      audit,
      log: silentLog,
    })
    const act = { action: 'reveal', secret: 'plain', generation: 1, operator: 'eve', vaultRequest: 'r-1' }
    expect(await post(access.socket, '/v1/acts', act)).toEqual({ recorded: true })
    const recorded = JSON.parse(await readFile(at('operator.log'), 'utf8'))
    expect(recorded).toMatchObject({ ...act, source: HERE })
  })
})

function post(socketPath: string, path: string, body: object): Promise<unknown> {
  const headers = { authorization: 'Bearer credential-of-the-operator' }
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, method: 'POST', path, headers },
      (answer) => void json(answer).then(resolve, reject),
    )
    sent.once('error', reject).end(JSON.stringify(body))
  })
}
