import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type AttemptEnd, type AttemptEvents, ContextStartError } from '#lib/context'
import type { Level } from '#lib/wire'
import { descendants } from '../cluster.ts'
import { openWorld, type World } from '../contexts.ts'
import { aliveOf, cgroupsOf, filesOf } from '../residue.ts'
import { until } from '../tiny-service.ts'
import { type Facts, type Hostile, NEIGHBOUR, type Targets } from './hostile.ts'

/**
 * One family of hostile agents against one pool, with eight well-behaved neighbours in it all the time, and what was
 * measured before, meanwhile and after.
 */

const NEIGHBOURS = 8
const SPARES = 4
/** How long a neighbour stays at most. */
const HOLD_MS = 2000
/** Hostile attempts at once: with all that spin at once, what is left for a neighbour is too little to be judged. */
const AT_ONCE = 6
/** I2 names a second after the timeout; a busy machine is given five. */
const FREE_MS = 5000

export interface SiegeOptions {
  level: Level
  permitted: boolean
  hostiles: Hostile[]
  timeoutMs: number
  targets: Targets
}

export interface Siege {
  /** Each attack and how it ended, as a {@link Cell} has it. */
  endings: [name: string, ending: string][]
  /** Attacks after whose start it took longer than timeout + 5 s until their slot was free. */
  late: string[]
  neighbours: string[]
  /** Processes, and what each launcher, worker and kernel still hold of the attempts. */
  left: string[]
  /** What worker and launcher hold more than before, bytes. */
  grownBytes: number
  launcherLives: boolean
}

export async function besiege(options: SiegeOptions): Promise<Siege> {
  const { level, permitted, hostiles, timeoutMs, targets } = options
  await using world = await openWorld({
    level,
    folder: import.meta.dirname,
    permissions: permitted ? ['child-process', 'worker'] : [],
    limits: { timeoutMs, graceMs: 200 },
    spares: SPARES,
    maxContexts: 32,
  })
  await calm(world)
  const before = measure(world)
  // Each is over well before the timeout that it shares with the hostile ones; then comes the next.
  const neighbours = new Neighbours(world, Math.min(timeoutMs / 10, HOLD_MS))
  await neighbours.begun()
  const own = level === 'namespace' ? ['/tmp', '/dev/shm', '.'] : []
  const pids = [process.pid, world.launcher.pid, ...descendants(world.launcher.pid)]
  const facts = { level, permitted, own, pids, targets }
  const run = (hostile: Hostile) => attack(world, { ...facts, attack: hostile.name })
  // At `thread` one that ends its host ends the others in it.
  const alone = hostiles.filter((one) => level === 'thread' && one.ends.thread.includes('interrupted'))
  const together = await inTurns(
    hostiles.filter((one) => !alone.includes(one)),
    AT_ONCE,
    run,
  )
  const ends = [...together, ...(await inTurns(alone, 1, run))]
  const results = await neighbours.end()
  const launcherLives = !world.launcher.isClosed
  await calm(world)
  await until('no more held than before', () => held(world, before).length === 0).catch(() => {})
  const after = measure(world)
  return {
    endings: ends.map(({ name, end }) => [name, endingOf(end)]),
    late: ends
      .filter(({ tookMs }) => tookMs > timeoutMs + FREE_MS)
      .map(({ name, tookMs }) => `${name}: ${tookMs} ms`),
    neighbours: results,
    left: [
      ...ends.flatMap(({ name, end }) => leftOf(end.receipt).map((what) => `${name}: ${what}`)),
      ...held(world, before),
    ],
    grownBytes: after.bytes - before.bytes,
    launcherLives,
  }
}

/** What worker and launcher hold more than before; a descriptor or a cgroup may outlive its context for a moment. */
function held(world: World, before: ReturnType<typeof measure>): string[] {
  const after = count(world)
  const kinds = ['cgroups', 'descriptors'] as const
  return kinds.flatMap((kind) =>
    after[kind] > before[kind] ? [`${after[kind] - before[kind]} ${kind}`] : [],
  )
}

/**
 * One attempt. At `thread` a context cannot be started while its host is being ended: a worker hands such a request back
 * and takes it again.
 */
async function runIn(world: World, input: unknown, on: AttemptEvents): Promise<AttemptEnd> {
  for (let tries = 1; ; tries++)
    try {
      return await world.run(input, on)
    } catch (error) {
      const isHandedBack = world.launcher.level === 'thread' && error instanceof ContextStartError
      if (!isHandedBack || tries === 5) throw error
    }
}

interface End {
  outcome?: string
  result?: unknown
  error?: { type: string }
}

async function attack(world: World, facts: Facts) {
  let startedAt = performance.now()
  const end = await runIn(world, facts, {
    started: () => (startedAt = performance.now()),
    call: (agentType, input) => (agentType === 'echo' ? Promise.resolve(input) : new Promise(() => {})),
  })
  return { name: facts.attack, end, tookMs: performance.now() - startedAt }
}

/** An end as a cell has it. */
export function endingOf({ outcome, result, error }: End): string {
  if (outcome === 'completed') return `completed ${JSON.stringify(result)}`
  return outcome === 'failed' ? `failed ${error?.type}` : String(outcome)
}

async function inTurns<T, R>(all: T[], atOnce: number, run: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const left = [...all.entries()]
  const lane = async () => {
    for (let next = left.shift(); next; next = left.shift()) results[next[0]] = await run(next[1])
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return results
}

/** Well-behaved attempts that follow each other, eight at a time, until they are told to end. */
class Neighbours {
  readonly #world: World
  readonly #holdMs: number
  readonly #stop = new AbortController()
  readonly #results: string[] = []
  readonly #lanes: Promise<void>[]
  #begun = 0

  constructor(world: World, holdMs: number) {
    this.#world = world
    this.#holdMs = holdMs
    this.#lanes = Array.from({ length: NEIGHBOURS }, () => this.#lane())
  }

  begun(): Promise<void> {
    return until('eight neighbours run', () => this.#begun >= NEIGHBOURS)
  }

  async end(): Promise<string[]> {
    this.#stop.abort()
    await Promise.all(this.#lanes)
    return this.#results
  }

  async #lane(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const call = () => this.#hold()
      this.#results.push(await runIn(this.#world, { attack: NEIGHBOUR }, { call }).then(endingOf, String))
    }
  }

  async #hold(): Promise<string> {
    this.#begun++
    await delay(this.#holdMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    return 'passed'
  }
}

/** No attempt runs and all spares are there. */
async function calm({ pool }: World): Promise<void> {
  await until('all spares, and nothing else', () => {
    const { spares, starting, active } = pool.stats()
    return spares === SPARES && starting === 0 && active === 0
  })
}

/** Of worker and launcher together. */
function measure(world: World) {
  collectGarbage()
  return { ...count(world), bytes: pssOf(process.pid) + pssOf(world.launcher.pid) }
}

function count({ launcher }: World) {
  const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length
  return {
    descriptors: descriptors(process.pid) + descriptors(launcher.pid),
    cgroups: cgroupsOf(launcher.pid).length,
  }
}

/** What the kernel still holds of one attempt. */
function leftOf({ uid, leftOver, level }: AttemptEnd['receipt']): string[] {
  const found = leftOver.processes || leftOver.ipcObjects ? [JSON.stringify(leftOver)] : []
  if (process.getuid!() !== 0 || level === 'thread') return found
  const objects = ['shm', 'sem', 'msg'].filter((kind) =>
    readFileSync(`/proc/sysvipc/${kind}`, 'utf8').split(/\s+/).includes(String(uid)),
  )
  return [...found, ...aliveOf(uid).map((pid) => `process ${pid}`), ...objects, ...filesOf(new Set([uid]))]
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

/** Memory of a process, what it shares divided by those who share it, bytes. */
export const pssOf = (pid: number) =>
  Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]) * 1024
