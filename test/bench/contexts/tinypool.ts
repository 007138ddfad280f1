import { Tinypool } from 'tinypool'
import { type Answer, byRequests, type Running } from './contender.ts'
import type { BareOptions } from './bare.ts'
import { descendants } from './memory.ts'

/** Tinypool as its documentation isolates: a fresh worker for each task. */
export function tinypool(
  runtime: 'worker_threads' | 'child_process',
  { script, atOnce }: BareOptions,
): Running {
  const isThread = runtime === 'worker_threads'
  const before = new Set(descendants(process.pid))
  const pool = new Tinypool({
    filename: script,
    runtime,
    isolateWorkers: true,
    minThreads: atOnce,
    maxThreads: atOnce,
  })
  return {
    contender: {
      name: `tinypool isolateWorkers, ${runtime}`,
      walls: isThread ? 'thread' : 'none',
      reused: false,
      primitive: isThread ? 'bare new Worker' : 'bare spawn',
    },
    ...byRequests(atOnce, (input) => pool.run(input) as Promise<Answer>),
    processes: () => (isThread ? [process.pid] : descendants(process.pid).filter((pid) => !before.has(pid))),
    startedAhead: atOnce,
    [Symbol.asyncDispose]: () => pool.destroy(),
  }
}
