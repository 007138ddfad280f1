import type { CanaryResult } from './canary/agent.ts'
import type { Mark, Target, World } from './canary/probe.ts'
import { Barrier } from './barrier.ts'
import type { Ground } from './host/ground.ts'
import { descriptorsOf, type Snapshot, snapshotOf } from './host/snapshot.ts'
import { attemptFor, type Canary, type CanaryEnd, type Stage } from './stage.ts'

/** One canary's attempt: what it said, and what the host saw of its context meanwhile. */
export interface Flown {
  mark: Mark
  canary: Pick<Canary, 'id' | 'pid'>
  end: CanaryEnd
  said: CanaryResult | undefined
  /** Undefined when the context was gone before it could be taken. */
  snapshot: Snapshot | undefined
  /** What its descriptors above 7 share with processes that are not the context's. */
  shared: string[]
}

/** What a generation needs. */
export interface Flight {
  stage: Stage
  ground: Ground
  /** Those that fly now. */
  marks: Mark[]
  /** Those of earlier generations, and the host's. */
  before: Mark[]
  /** Listeners and folders beside the ground's own. */
  listeners: Target[]
  folders: string[]
  signal: AbortSignal
}

const LAST_OWN = 7

/** Lets canaries fly together: all plant, and only then all look around; none ends before the last has looked. */
export async function fly(flight: Flight): Promise<Flown[]> {
  const { stage, marks, signal } = flight
  const canaries = await Promise.all(marks.map(() => stage.acquire()))
  const names = marks.map(({ mark }) => mark)
  const planted = new Barrier(names)
  const looked = new Barrier(names)
  const outside = planted.opened.then(() => canaries.map((canary) => look(canary, flight)))
  const ends = canaries.map(async (canary, at) => {
    const me = marks[at]!
    const { mark } = me
    const input = { do: 'look' as const, me, all: flight.before }
    const call = async (what: string) => {
      if (what !== 'world') return looked.arrive(mark)
      await planted.arrive(mark)
      await outside
      return worldOf(flight, canaries, at)
    }
    const end = await canary.run(attemptFor(mark, input), { call }, signal)
    planted.leave(mark)
    looked.leave(mark)
    return end
  })
  const seen = await outside
  return (await Promise.all(ends)).map((end, at) => ({
    mark: marks[at]!,
    canary: { id: canaries[at]!.id, pid: canaries[at]!.pid },
    end,
    said: end.outcome === 'completed' ? (end.result as CanaryResult) : undefined,
    ...seen[at]!,
  }))
}

function worldOf(
  { stage, ground, marks, before, listeners, folders }: Flight,
  canaries: Canary[],
  at: number,
): World {
  const siblings = canaries.filter((_, other) => other !== at)
  const { world, sidecarPid } = ground
  const services = [
    { role: 'worker' as const, pid: process.pid },
    { role: 'launcher' as const, pid: stage.launcherPid },
    { role: 'sidecar' as const, pid: sidecarPid },
  ]
  return {
    ...world,
    me: marks[at]!,
    isFirst: at === 0,
    all: [...before, ...marks],
    others: [
      ...services.filter(({ pid }) => pid > 0),
      ...siblings.map(({ pid }) => ({ role: 'sibling' as const, pid })),
    ],
    listeners: at === 0 ? listeners : [],
    workerSocket: { path: stage.workerSocket, context: siblings[0]?.id ?? canaries[at]!.id },
    files: { ...world.files, folders: [...world.files.folders, ...folders] },
  }
}

function look({ pid }: Canary, { stage, ground }: Flight): Pick<Flown, 'snapshot' | 'shared'> {
  try {
    const snapshot = snapshotOf(pid)
    const others = [process.pid, stage.launcherPid, ground.sidecarPid].flatMap(descriptorsOf)
    const theirs = new Set(
      others.map(({ to }) => to).filter((to) => /^(\/(?!dev\/null)|socket:|pipe:)/.test(to)),
    )
    const shared = snapshot.descriptors.filter(({ fd, to }) => fd > LAST_OWN && theirs.has(to))
    return { snapshot, shared: shared.map(({ fd, to }) => `descriptor ${fd} leads to ${to}`) }
  } catch {
    return { snapshot: undefined, shared: [] }
  }
}
