import { threadbound } from './cluster.ts'
import { type Fact, fact } from './report.ts'
import { median } from './statistics.ts'
import { type AloneOptions, openWorkerAlone } from './worker-alone.ts'

/** The share of throughput that spans take: two workers, turn by turn, one of which sends them. */
export async function telemetryFact(
  options: Omit<AloneOptions, 'telemetry'>,
  { rounds, count }: { rounds: number; count: number },
): Promise<Fact> {
  await using on = await openWorkerAlone({ ...options, telemetry: true })
  await using off = await openWorkerAlone({ ...options, telemetry: false })
  const ratios: number[] = []
  for (let round = 0; round < rounds; round++) {
    const withSpans = await threadbound(options.level, on).perSecond(count)
    ratios.push(withSpans / (await threadbound(options.level, off).perSecond(count)))
  }
  const lost = (1 - median(ratios)) * 100
  return fact('telemetry on against off: throughput lost', '%', lost, { atMost: 10 })
}
