import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { AgentLoadError, ContextStartError } from '#lib/context'
import { agentOf, CHANNEL, levels, openWorld } from '../support/contexts.ts'

/** A script that opens a launcher at a level and prints why it cannot. */
const OPENS_A_WORLD = fileURLToPath(new URL('../support/opens-a-world.ts', import.meta.url))

const ENDLESS = 'for (;;);'
const WITH_SCHEMAS = `
import { defineAgent, AgentError } from 'threadbound/agent'
import * as z from 'zod'
export default defineAgent({
  input: z.object({ question: z.string().max(5), n: z.number().default(3) }),
  output: z.object({ answer: z.string() }),
  async run({ question, n }) {
    if (question === 'bad') return { answer: 1 } as any
    if (question === 'stop') throw new AgentError('no-rows', 'nothing there')
    return { answer: question + n }
  },
})`

describe.each(levels)('an agent is loaded, at level %s', (level) => {
  test('its schemas judge input and output, and leave as JSON Schema', async () => {
    const root = new URL('../../', import.meta.url).pathname
    await using world = await openWorld({ level, source: WITH_SCHEMAS, spares: 2, packagesOf: root })
    const { input, output } = await world.pool.describe()
    expect(input).toMatchObject({
      type: 'object',
      required: ['question'],
      properties: { question: { maxLength: 5 } },
    })
    expect(output).toMatchObject({ type: 'object', required: ['answer'] })
    expect(await world.run({ question: 'hi' })).toMatchObject({
      outcome: 'completed',
      result: { answer: 'hi3' },
    })
    const invalid = { outcome: 'failed', error: { type: 'invalid-input', permanent: true } }
    expect(await world.run({ question: 'too long' })).toMatchObject(invalid)
    expect((await world.run({})).error?.message).toMatch(/^question: /)
    expect((await world.run({ question: 'bad' })).error).toMatchObject({
      type: 'invalid-output',
      permanent: true,
    })
    expect((await world.run({ question: 'stop' })).error).toMatchObject({ type: 'no-rows', permanent: true })
  })

  test.each([
    ['throws', `throw new Error('at load')`, /at load/],
    ['ends its process', `process.exit(3)`, /ended while it loaded/],
    ['speaks on the channel', `fs.writeSync(${CHANNEL}, Buffer.from('garbage!'))`, /protocol-violation/],
    // Not for ever: a module that nobody stops would load.
    [
      'takes 800 MB',
      `const all = []; for (let n = 0; n < 200; n++) all.push(Buffer.alloc(4e6, 1)); globalThis.all = all`,
      /ended while it loaded/,
    ],
    ['never ends', ENDLESS, /ended while it loaded/],
  ])('a module that %s is an AgentLoadError to who waits', async (_, line, message) => {
    await using world = await openWorld({
      level,
      source: agentOf('return 1', line),
      limits: line === ENDLESS ? { loadTimeoutMs: 8000 } : {},
    })
    const error = await world.pool.acquire().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(AgentLoadError)
    expect((error as Error).message).toMatch(message)
  })

  test('a default export that is no agent is refused', async () => {
    await using world = await openWorld({ level, source: 'export default { run: () => 1 }' })
    await expect(world.pool.acquire()).rejects.toThrow('not-an-agent')
  })

  test('a broker that is not there is told after some tries', async () => {
    const brokerSocket = '/nonexistent/sidecar.sock'
    await using world = await openWorld({ level, source: agentOf('return 1'), brokerSocket })
    const error = await world.pool.acquire().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(ContextStartError)
    expect((error as Error).message).toContain('sidecar.sock: ENOENT')
  })

  test('a waiter that gives up gets its own reason, and takes no context', async () => {
    await using world = await openWorld({ level, source: agentOf('return 1'), spares: 0 })
    await expect(world.pool.acquire(AbortSignal.abort('later'))).rejects.toBe('later')
    expect(world.pool.stats().active).toBe(0)
  })
})

describe.runIf(levels.includes('namespace'))('I3: a level that is not there', () => {
  test('is refused with its name, never given weaker', async () => {
    const apart = ['--user', '--map-root-user', process.execPath, OPENS_A_WORLD, 'namespace']
    const { stdout } = await promisify(execFile)('unshare', apart)
    expect(JSON.parse(stdout)).toEqual({
      name: 'LevelUnavailableError',
      message: expect.stringMatching(/^isolation level "namespace" is not available: .*maps no uids/),
    })
  })
})
