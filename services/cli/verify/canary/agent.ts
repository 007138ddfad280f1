import { defineAgent } from 'threadbound/agent'
import type { Mark, Seen, World } from './probe.ts'
import { PROBES } from './probes.ts'
import { Tries } from './tries.ts'

/** What a canary is asked: to look around, or to go on without end until a limit stops it. */
export type CanaryInput = { do: 'look'; me: Mark; all: Mark[] } | { do: Endless }
export type Endless = 'heap' | 'buffers' | 'spin'
/** What it says: by probe, what was seen. A probe that failed by its own fault says so in `faults`. */
export interface CanaryResult {
  seen: Record<string, Seen>
  faults: Record<string, string>
}

export default defineAgent({
  async run(input: CanaryInput, ctx) {
    if (input.do !== 'look') return endless(input.do)
    const { me, all } = input
    const tried = PROBES.map((probe) => ({ probe, tries: new Tries() }))
    const faults: Record<string, string> = {}
    const each = async (step: (one: (typeof tried)[number]) => void | Promise<void>) => {
      for (const one of tried) {
        try {
          await step(one)
        } catch (error) {
          faults[one.probe.name] = String((error as Error).stack ?? error).slice(0, 500)
        }
      }
    }
    await each(({ probe, tries }) => probe.look?.(tries, me, all))
    await each(({ probe }) => probe.plant?.(new Tries(), me))
    const world = (await ctx.call('world', me.mark)) as World
    await each(({ probe, tries }) => probe.look?.(tries, me, world.all))
    await each(({ probe, tries }) => probe.reach?.(tries, world))
    await ctx.call('looked', me.mark)
    const seen = Object.fromEntries(tried.map(({ probe, tries }) => [probe.name, tries.result]))
    return { seen, faults } satisfies CanaryResult
  },
})

/** Without end as far as any limit goes: where none holds, the machine is spared. */
const FAR = { heap: 3e7, buffers: 500 }
const FAR_MS = 20_000

function endless(what: Endless): string {
  const until = Date.now() + FAR_MS
  if (what === 'spin') while (Date.now() < until);
  else fill(what)
  return `no limit has held: ${what}`
}

function fill(what: 'heap' | 'buffers'): void {
  const all: unknown[] = []
  while (all.length < FAR[what]) all.push(what === 'heap' ? { a: [1, 2, 3] } : Buffer.alloc(4e6, 1))
}
