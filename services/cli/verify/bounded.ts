import type { Endless } from './canary/agent.ts'
import { WALLED } from './canary/probe.ts'
import { attemptFor, type CanaryEnd, type OpenStage, type StageOptions } from './stage.ts'

/** What became of the attempts that go on without end. */
export interface Bounded {
  heap: CanaryEnd
  /** Undefined at a level that promises nothing of it: it would take others with it. */
  buffers: CanaryEnd | undefined
  spin: CanaryEnd
  /** Of the spinning one. */
  timeoutMs: number
}

const MEMORY_BYTES = 64e6
const SPIN_MS = 500
/** None of those that allocate needs as much. */
const PLENTY_MS = 30_000
const GRACE_MS = 500

/** Runs an attempt into each limit. */
export async function runIntoLimits(open: OpenStage, options: StageOptions): Promise<Bounded> {
  const run = async (tasks: Endless[], timeoutMs: number) => {
    const limits = { ...options.limits, memoryBytes: MEMORY_BYTES, graceMs: GRACE_MS, timeoutMs }
    await using stage = await open({ ...options, canaries: tasks.length, limits })
    return await Promise.all(
      tasks.map(async (task) => {
        const canary = await stage.acquire()
        return await canary.run(attemptFor(task, { do: task }), {}, options.signal)
      }),
    )
  }
  const tasks: Endless[] = WALLED.includes(options.level) ? ['heap', 'buffers'] : ['heap']
  const [heap, buffers] = await run(tasks, PLENTY_MS)
  const [spin] = await run(['spin'], SPIN_MS)
  return { heap: heap!, buffers, spin: spin!, timeoutMs: SPIN_MS }
}
