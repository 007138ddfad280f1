import type { HeldLimits, LimitsInForce } from '#lib/wire'

/** What a worker asked for one context, in the units of the messages. */
interface Asked {
  memoryBytes: number
  heapMiB: number
  timeoutMs: number
  outputBytes: number
}

/** Every limit of an attempt with what holds it, for its receipt. */
export function limitsInForce({ memoryBy, ...held }: HeldLimits, asked: Asked): LimitsInForce {
  return {
    memoryBytes: { value: asked.memoryBytes, by: memoryBy },
    heapBytes: { value: asked.heapMiB * 2 ** 20, by: 'v8' },
    timeMs: { value: asked.timeoutMs, by: 'launcher' },
    outputBytes: { value: asked.outputBytes, by: 'worker' },
    ...held,
  }
}
