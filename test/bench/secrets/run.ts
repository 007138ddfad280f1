import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fact, fact } from '../contexts/report.ts'
import { median, percentile } from '../contexts/statistics.ts'
import { openSecretsCluster, type SecretsCluster } from './cluster.ts'

/** How long a call to the slow route takes. */
const SLOW_MS = 20
const CALLS = 100
const AT_ONCE = 16
const PLAN = {
  full: { probes: 5, reads: 1000, leases: 200 },
  quick: { probes: 1, reads: 40, leases: 8 },
}

/** What `npm run bench -- secrets --json` prints. Times are milliseconds. */
export interface SecretsReport {
  benchmark: 'secrets'
  quick: boolean
  /** From inside a context: a secret read for the first time by its agent type, and again. */
  coldMs: number
  warm: { p50Ms: number; p99Ms: number; perSecond: number }
  /** A call to a service beside it, and one that takes 20 ms there. */
  calls: Record<'direct' | 'brokered', { p50Ms: number; p99Ms: number; slowP50Ms: number }>
  facts: Fact[]
}

interface Probe {
  cold: number
  warm: number[]
  perSecond: number
  brokered: number[]
  slow: number[]
}

/** Runs everything, one part after the other. */
export async function runSecrets(quick: boolean, say: (line: string) => void): Promise<SecretsReport> {
  const plan = quick ? PLAN.quick : PLAN.full
  await using service = await openService()
  say('a cluster whose agents use secrets')
  await using cluster = await openSecretsCluster(service.url)
  say('secrets and calls from inside a context')
  const probes: Probe[] = []
  const direct: { now: number[]; slow: number[] } = { now: [], slow: [] }
  for (let at = 0; at < plan.probes; at++) {
    probes.push(await cluster.client.run<Probe>('prober', { url: service.url }, { timeoutMs: 60_000 }))
    direct.now.push(...(await callsTo(`${service.url}/now`)))
    direct.slow.push(...(await callsTo(`${service.url}/slow`)))
  }
  say(`what ${plan.reads} attempts ask of Vault`)
  const reads = await vaultCallsOf(cluster, plan.reads, false)
  const leases = await vaultCallsOf(cluster, plan.leases, true)
  return reportOf({
    quick,
    probes,
    direct,
    perThousand: (reads.all * 1000) / plan.reads,
    perLease: (leases.all - leases.timed) / plan.leases - (reads.all - reads.timed) / plan.reads,
  })
}

interface Measured {
  quick: boolean
  probes: Probe[]
  direct: { now: number[]; slow: number[] }
  perThousand: number
  perLease: number
}

function reportOf({ quick, probes, direct, perThousand, perLease }: Measured): SecretsReport {
  const warm = probes.flatMap((probe) => probe.warm)
  const calls = {
    direct: figuresOf(direct.now, direct.slow),
    brokered: figuresOf(
      probes.flatMap((probe) => probe.brokered),
      probes.flatMap((probe) => probe.slow),
    ),
  }
  const added = calls.brokered.p50Ms - calls.direct.p50Ms
  const part = (calls.brokered.slowP50Ms / calls.direct.slowP50Ms - 1) * 100
  return {
    benchmark: 'secrets',
    quick,
    coldMs: probes[0]!.cold,
    warm: {
      p50Ms: percentile(warm, 0.5),
      p99Ms: percentile(warm, 0.99),
      perSecond: median(probes.map(({ perSecond }) => perSecond)),
    },
    calls,
    facts: [
      fact('the broker adds to a call, p50', 'ms', added, { atMost: 2 }),
      fact(`the broker adds to a call of ${SLOW_MS} ms, p50`, '%', part, { atMost: 20 }),
      fact('1,000 attempts with three static secrets, asked of Vault', 'calls', perThousand, { atMost: 60 }),
      fact('an attempt that leases, asked of Vault beside that', 'calls', perLease, { atMost: 3 }),
    ],
  }
}

const figuresOf = (now: number[], slow: number[]) => ({
  p50Ms: percentile(now, 0.5),
  p99Ms: percentile(now, 0.99),
  slowP50Ms: percentile(slow, 0.5),
})

/** Requests that Vault sees while so many attempts run, their revocations included. */
async function vaultCallsOf(
  { client, vaultCalls }: SecretsCluster,
  count: number,
  lease: boolean,
): Promise<ReturnType<SecretsCluster['vaultCalls']>> {
  const before = vaultCalls()
  let left = count
  const lane = async () => {
    while (left-- > 0) await client.run('reader', { lease }, { timeoutMs: 60_000 })
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  const own = () => vaultCalls().all - vaultCalls().timed
  for (let last = -1; last !== own();) {
    last = own()
    await delay(500)
  }
  const { all, timed } = vaultCalls()
  return { all: all - before.all, timed: timed - before.timed }
}

/** The same calls without a broker, one after the other, over one connection. */
async function callsTo(url: string): Promise<number[]> {
  const all: number[] = []
  for (let at = 0; at <= CALLS; at++) {
    const begin = performance.now()
    await (await fetch(url)).text()
    all.push(performance.now() - begin)
  }
  return all.slice(1)
}

async function openService(): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    setTimeout(() => response.end('{"ok":true}'), request.url === '/slow' ? SLOW_MS : 0)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
