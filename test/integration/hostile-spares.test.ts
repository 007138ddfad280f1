import { describe, expect, test } from 'vitest'
import { agentOf, levels, openWorld, type World } from '../support/contexts.ts'
import { endingOf } from '../support/hostile/siege.ts'
import { until } from '../support/tiny-service.ts'

/** The top level of a module that attacks once it is loaded, while its context waits for an attempt. */
const later = (code: string) => agentOf('return 1', `setImmediate(() => { ${code} })`)
const HOARD = 'const held: any[] = []; for (;;) held.push(Buffer.alloc(2 ** 20, 1))'

/** How an attempt ended, or why there was no context for it. */
async function endOf(world: World): Promise<string> {
  return await world.run({}).then(endingOf, (error: Error) => error.name)
}

describe.each(levels)(
  'I2 bounded from the first instruction: a module that attacks while it is a spare, at level %s',
  (level) => {
    test('by an endless loop: the attempt that it is given ends at its timeout', async () => {
      await using world = await openWorld({
        level,
        source: later('for (;;);'),
        spares: 2,
        limits: { timeoutMs: 1000 },
      })
      await until('two spares', () => world.pool.stats().spares === 2)
      expect(await endOf(world)).toBe('timed-out')
      expect(world.launcher.isClosed).toBe(false)
    })

    test.each([
      ['by leaving', 'process.exit(3)'],
      ['by allocating', HOARD],
      ['by crashing', 'process.kill(process.pid, "SIGSEGV")'],
      ['by printing', 'for (;;) console.log("x".repeat(1000))'],
      ['by throwing', 'throw new Error("too late")'],
      ['by talking out of turn', 'for (;;) fs.writeSync(3, Buffer.from("garbage!"))'],
    ])('%s: no attempt completes in it, and its launcher and worker live', async (_how, code) => {
      await using world = await openWorld({
        level,
        source: later(code),
        spares: 2,
        limits: { timeoutMs: 1000 },
      })
      const ends = await Promise.all([endOf(world), endOf(world), endOf(world)])
      for (const end of ends)
        expect(end).toMatch(/^(failed|out-of-memory|timed-out|interrupted|AgentLoadError|ContextStartError)/)
      expect(world.launcher.isClosed).toBe(false)
    })
  },
)
