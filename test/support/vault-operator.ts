import { writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { DevVault } from '#lib/dev-vault'
import { silentLog, systemClock } from '#lib/runtime'
import { runCli, type CliRun } from './cli.ts'
import { temporaryDirectory } from './directory.ts'
import type { VaultCall } from './vault-target.ts'

const ROOT_TOKEN = 'root-token-of-an-operator-0123'

/** The cluster file of the tests, with a part replaced. */
export const clusterText = (environment = 'dev', agents = AGENTS) => `
cluster: shop
environment: ${environment}
agents:
${agents}
secrets:
  anthropic-api-key: { provider: anthropic }
  openai-api-key: { provider: openai }
  mail-key: { provider: mail, deliver: value }
  orders-db-admin: { provider: postgres-admin }
  orders-db:
    provider: postgres
    connect: { host: 127.0.0.1, database: orders, admin-secret: orders-db-admin }
    grant: ["SELECT ON ALL TABLES IN SCHEMA public"]
`
export const WRITER = '  writer: { model: claude-sonnet-4.2, system: Be brief., secrets: [mail-key] }'
export const CODER = '  coder: { model: gpt-4-turbo, system: SQL., secrets: [orders-db] }'
export const AGENTS = `${WRITER}\n${CODER}`

/** A Vault, and an operator beside it with a shell. */
export interface OperatorWorld extends AsyncDisposable {
  address: string
  folder: string
  /** Plain calls as root, nothing of ours in between. */
  root: VaultCall
  /** What the database engine would have run. */
  sql: string[]
  /** While true, no database takes a connection. */
  database: { refuses: boolean }
  /** Calls that changed something since the last look, as method and path. */
  writes(): string[]
  /** Runs the command against this Vault, for the cluster file in the folder. */
  run(...args: string[]): Promise<CliRun>
  /** The same with something on stdin. */
  feed(stdin: string, ...args: string[]): Promise<CliRun>
  /** What a shell would have in its environment. */
  env: NodeJS.ProcessEnv
  /** Writes the cluster file. */
  cluster(content: string, name?: string): string
}

/** A dev Vault behind a server that notes every request, as an operator's `VAULT_ADDR`. */
export async function openOperatorWorld(): Promise<OperatorWorld> {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(temporaryDirectory())
  const sql: string[] = []
  const database = { refuses: false }
  const sqlExecutor = {
    run: async (_: unknown, statements: string[]) => {
      if (database.refuses) throw new Error('password authentication failed')
      sql.push(...statements)
    },
    forget: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  const vault = stack.use(
    await DevVault.open({ clock: systemClock, rootToken: ROOT_TOKEN, sqlExecutor, log: silentLog }),
  )
  const seen: string[] = []
  const address = await openNotingServer(vault.address, seen, stack)
  const cluster = (content: string, name = 'threadbound.yaml') => {
    writeFileSync(join(directory.path, name), content)
    return join(directory.path, name)
  }
  cluster(clusterText())
  const env = { VAULT_ADDR: address, VAULT_TOKEN: ROOT_TOKEN }
  const feed = (stdin: string, args: string[]) => {
    const file = args.includes('--cluster') ? [] : ['--cluster', 'threadbound.yaml']
    return runCli([...args, ...file], { cwd: directory.path, env, stdin })
  }
  const opened = stack.move()
  return {
    address,
    folder: directory.path,
    root: callAs(vault.address),
    sql,
    database,
    writes: () => seen.splice(0).filter((line) => !line.startsWith('GET ')),
    cluster,
    env,
    run: (...args) => feed('', args),
    feed: (stdin, ...args) => feed(stdin, args),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function openNotingServer(
  target: string,
  seen: string[],
  stack: AsyncDisposableStack,
): Promise<string> {
  const server = createServer((request, response) => {
    void text(request).then(async (body) => {
      seen.push(`${request.method} ${request.url?.replace('/v1/', '')}`)
      const headers = { 'x-vault-token': String(request.headers['x-vault-token'] ?? '') }
      const wrap = request.headers['x-vault-wrap-ttl']
      const answer = await fetch(`${target}${request.url}`, {
        method: request.method!,
        headers: { ...headers, ...(wrap && { 'x-vault-wrap-ttl': String(wrap) }) },
        ...(body && { body }),
      })
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function callAs(address: string): VaultCall {
  return async (method, path, body) => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { 'x-vault-token': ROOT_TOKEN },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const content = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: content ? JSON.parse(content) : undefined,
    }
  }
}
