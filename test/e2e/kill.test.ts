import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { descendants, startCluster, type TestCluster } from '../support/cluster.ts'
import { isAlive, until } from '../support/tiny-service.ts'

const INPUTS: [agent: string, input: object][] = [
  ['request-handler', { message: 'Where is my parcel?' }],
  ['database-agent', { question: 'How many orders are there?' }],
  ['coordinator', { message: 'Where is my parcel?', question: 'How many orders are there?' }],
]
/** A request every so often, from the first kill until all is well again. */
const PACE_MS = 250
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

/** The processes of the cluster whose command line names a program; with an agent type, those of its worker. */
function pidsOf(program: string, agentType?: string): number[] {
  return cluster.pids().filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      const environment = agentType ? readFileSync(`/proc/${pid}/environ`, 'utf8') : ''
      return line.includes(program) && (!agentType || environment.includes(`TB_AGENT_TYPE=${agentType}\0`))
    } catch {
      return false
    }
  })
}

const launcherOf = (agentType: string) =>
  descendants(pidsOf('services/worker/main.ts', agentType)[0]!).slice(0, 1)

const runsAgain = (service: string) => cluster.said().split(`${service} runs again`).length - 1

describe('I9 nothing lost: kill -9 in a running cluster, under a stream of requests', () => {
  const accepted: string[] = []
  const stop = new AbortController()
  let posting: Promise<void>

  async function post(agent: string, input: object): Promise<void> {
    const init = { method: 'POST', body: JSON.stringify({ agent, input }) }
    const answer = await cluster.call('/v1/requests', init).catch(() => undefined)
    const body = (await answer?.json().catch(() => undefined)) as { id?: string } | undefined
    if (answer?.status === 202 && body?.id) accepted.push(body.id)
  }

  async function stream(): Promise<void> {
    for (let n = 0; !stop.signal.aborted; n++) {
      void post(...INPUTS[n % INPUTS.length]!)
      await delay(PACE_MS, undefined, { signal: stop.signal }).catch(() => {})
    }
  }

  beforeAll(() => {
    posting = stream()
  })

  const faults: [what: string, service: string, pids: () => number[]][] = [
    ['a worker', 'worker-request-handler', () => pidsOf('services/worker/main.ts', 'request-handler')],
    ['the singleton’s worker', 'worker-coordinator', () => pidsOf('services/worker/main.ts', 'coordinator')],
    ['a launcher', 'worker-database-agent', () => launcherOf('database-agent')],
    ['the sidecar', 'sidecar', () => pidsOf('services/sidecar/main.ts')],
    ['the producer', 'producer', () => pidsOf('services/producer/main.ts')],
    ['Redis', 'redis', () => pidsOf('redis-server')],
  ]
  test.each(faults)('%s is started again', async (_what, service, pids) => {
    const before = { accepted: accepted.length, again: runsAgain(service) }
    await until('requests go through', () => accepted.length > before.accepted + 3, 60_000)
    const [pid] = pids()
    process.kill(pid!, 'SIGKILL')
    await until(`${service} runs again`, () => runsAgain(service) > before.again, 60_000)
    expect(isAlive(pid!)).toBe(false)
  })

  test('every accepted request reached one final outcome', async () => {
    const last = accepted.length
    await until('requests go through', () => accepted.length > last + 3, 60_000)
    stop.abort()
    await posting
    const deadline = performance.now() + 80_000
    // What did not end is told as it is, so that a failure of this test says what was lost.
    const ended = async (id: string) => {
      for (;;) {
        const answer = await cluster.call(`/v1/requests/${id}?wait=20s`)
        const view = (await answer.json()) as { state: string; outcome: string; error?: { type: string } }
        if (view.state === 'ended') return view.outcome === 'completed' ? 'completed' : view.error!.type
        if (performance.now() > deadline) return `not ended: ${JSON.stringify(view)}`
      }
    }
    const outcomes = await Promise.all(accepted.map(ended))
    const counts = Object.groupBy(outcomes, (outcome) => outcome)
    console.info(
      Object.entries(counts)
        .map(([outcome, all]) => `${outcome}: ${all?.length}`)
        .join(', '),
    )
    expect(Object.keys(counts).filter((outcome) => outcome.startsWith('not ended'))).toEqual([])
    expect(counts['completed']!.length).toBeGreaterThan(accepted.length * 0.8)
  })

  test('and the cluster works and leaves no process when it is stopped', async () => {
    for (const [agent, input] of INPUTS)
      expect(await cluster.run(agent, input)).toMatchObject({ outcome: 'completed' })
    const pids = cluster.pids()
    cluster.child.kill('SIGTERM')
    await once(cluster.child, 'exit')
    expect(pids.filter(isAlive)).toEqual([])
  })
})
