import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ReadyLine } from '../../services/dev/up/state-file.ts'
import { temporaryDirectory } from './directory.ts'
import { isAlive } from './tiny-service.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const DEMO_CLUSTER = join(ROOT, 'deploy/demo/threadbound.yaml')

/** A cluster started by `threadbound up --json`, as a user would. */
export interface TestCluster extends AsyncDisposable {
  child: ChildProcess
  data: string
  ready: ReadyLine
  apiKey: string
  /** What `up` said on stderr so far. */
  said(): string
  /** Every process that the supervisor started, and theirs. */
  pids(): number[]
  /** Calls the producer with the API key. */
  call(path: string, init?: RequestInit): Promise<Response>
  /** Posts a request and waits for its end. */
  run(agent: string, input: unknown): Promise<Record<string, unknown>>
}

/** Starts `up`, detached from the test's own group. Rejects with what it said when it ends before it is ready. */
export async function startCluster(
  options: {
    checkout?: string
    cluster?: string
    data?: string
    args?: string[]
    env?: NodeJS.ProcessEnv
  } = {},
): Promise<TestCluster> {
  const directory = temporaryDirectory()
  const data = options.data ?? join(directory.path, 'data')
  const command = join(options.checkout ?? ROOT, 'services/cli/threadbound.mjs')
  const flags = ['--cluster', options.cluster ?? DEMO_CLUSTER, '--data', data, '--port', '0', '--json']
  const child = spawn(process.execPath, [command, 'up', ...flags, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  // Detached, it would outlive whoever is stopped before it has ended its cluster.
  const abandon = () => child.kill('SIGTERM')
  process.once('exit', abandon)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const exited = once(child, 'exit')
  // Which may come before all that it said has: after this one everything has.
  const closed = once(child, 'close')
  const line = once(createInterface({ input: child.stdout }), 'line')
  const first = await Promise.race([line, closed.then(() => undefined)])
  if (!first) {
    directory[Symbol.dispose]()
    throw new Error(said)
  }
  const ready = JSON.parse(first[0] as string) as ReadyLine
  const apiKey = readFileSync(ready.apiKeyFile, 'utf8').trim()
  const call: TestCluster['call'] = (path, init) =>
    fetch(`${ready.producer}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    })
  return {
    child,
    data,
    ready,
    apiKey,
    call,
    said: () => said,
    pids: () => descendants(child.pid!),
    async run(agent, input) {
      const posted = await call('/v1/requests', { method: 'POST', body: JSON.stringify({ agent, input }) })
      const { id } = (await posted.json()) as { id: string }
      return (await (await call(`/v1/requests/${id}?wait=30s`)).json()) as Record<string, unknown>
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', abandon)
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        await exited
      }
      directory[Symbol.dispose]()
    },
  }
}

/** The processes below another, from /proc; zombies are none. */
export function descendants(of: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(Number(name))
    if (parent !== undefined) parents.set(Number(name), parent)
  }
  const below = (pid: number): number[] =>
    [...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => [child, ...below(child)])
  return below(of).filter(isAlive)
}

function parentOf(pid: number): number | undefined {
  const file = `/proc/${pid}/stat`
  try {
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split(') ').at(-1)!.split(' ')[1]) : undefined
  } catch {
    return undefined
  }
}
