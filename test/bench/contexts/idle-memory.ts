import { readFileSync } from 'node:fs'
import type { Level } from '#lib/wire'
import type { BenchCluster } from './cluster.ts'
import { threadbound } from './cluster.ts'
import { descendants, type Held, memoryOfContext, pssOf } from './memory.ts'
import { type Fact, fact } from './report.ts'

const MB = 1e6

/** Memory rows: an idle worker with its launcher, and what each of several contexts costs that have nothing to do. */
export async function memoryFacts(cluster: BenchCluster, levels: Level[], held: Held): Promise<Fact[]> {
  const facts: Fact[] = []
  for (const level of levels) {
    const agent = cluster.agentType(level)
    const ours = [agent.workerPid(), ...descendants(agent.workerPid()).filter(isLauncher)]
    facts.push(fact(`${level}: idle worker with launcher, PSS`, 'MB', pssOf(ours) / MB, { atMost: 130 }))
    const { bytes } = await memoryOfContext(() => threadbound(level, agent), held)
    const target = { atMost: level === 'thread' ? 7 : 30 }
    facts.push(fact(`${level}: a no-op context, ${held.count} alive, PSS`, 'MB', bytes / MB, target))
  }
  return facts
}

const isLauncher = (pid: number) =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('threadbound-launcher')
