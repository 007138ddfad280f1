import { spawnSync } from 'node:child_process'
import type { Facts } from './hostile.ts'

/**
 * Arguments that free a child of Node's permission model, so that the kernel's walls are tested alone. A child without
 * `--permission` of its own would be given its parent's.
 */
export const UNBELTED = [
  '--permission',
  '--allow-fs-read=*',
  '--allow-fs-write=*',
  '--allow-child-process',
  '--allow-worker',
  '--allow-net',
  '--allow-inspector',
  '--allow-addons',
  '--allow-ffi',
  '--allow-wasi',
  '--no-warnings',
]

type Work = (facts: Facts) => unknown

/** Does `work` here; where the agent may start processes, in a child that nothing but the kernel holds. It travels as text. */
export async function past(facts: Facts, work: Work): Promise<unknown> {
  if (!facts.permitted) return work(facts)
  // On a descriptor of its own: V8 may write to the console whatever and whenever it likes.
  const source = `(async () => (${work})(${JSON.stringify(facts)}))().then((value) => {
    process.getBuiltinModule('node:fs').writeSync(3, JSON.stringify(value))
    process.exit()
  })`
  const { output, stderr, error, signal } = spawnSync(process.execPath, [...UNBELTED, '-e', source], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  if (signal) return `ended by ${signal}`
  const said = output?.[3]?.toString()
  if (!said) throw new Error(`the child said nothing: ${error?.message ?? stderr}`)
  return JSON.parse(said)
}
