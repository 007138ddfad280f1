import type { Redis } from 'ioredis'
import type { AgentView } from '#lib/client'
import { readPause, readWorkers } from '#lib/queue'
import type { ServedType } from './agent-types.ts'

/** An agent type with its workers, its queue and its schemas as they are now. */
export async function describeAgent(redis: Redis, type: ServedType): Promise<AgentView> {
  const { name, type: kind, model, maxConcurrency } = type.agentType
  const [workers, counts, manifest, paused] = await Promise.all([
    readWorkers(redis, type.ref),
    type.queue.getJobCounts('active', 'waiting', 'prioritized', 'delayed'),
    type.manifest(),
    readPause({ ...type, redis }),
  ])
  return {
    name,
    type: kind,
    model: model ?? null,
    maxConcurrency,
    slots: sum(workers.map(({ slots }) => slots)),
    workers: workers.length,
    active: counts['active'] ?? 0,
    waiting: sum([counts['waiting'], counts['prioritized'], counts['delayed']]),
    spares: sum(workers.map(({ spares }) => spares)),
    paused: paused ?? null,
    level: workers[0]?.level ?? manifest?.level ?? null,
    input: manifest?.input ?? null,
    output: manifest?.output ?? null,
  }
}

const sum = (numbers: (number | undefined)[]) =>
  numbers.reduce<number>((total, each) => total + (each ?? 0), 0)
