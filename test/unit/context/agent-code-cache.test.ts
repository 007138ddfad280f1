import { describe, expect, test } from 'vitest'
import { Agent } from '../../../libs/context/child/agent.ts'

let count = 0
/** Another name each time: V8 keeps what it compiled in this process by name and text, and would not look at the cache. */
const load = (code: string, cache?: Buffer) => Agent.load({ code, filename: `agent-${count++}.js`, cache })
const code = (answer: number) => `
function answer() { return ${answer} }
exports.agent = { threadbound: 'agent', run: answer, fixed: answer() }`

const cacheOf = (agent: Agent) => Buffer.from([...agent.codeCache()].join(''), 'base64')

describe('V8’s cache of an agent’s code', () => {
  test('is taken by the next load of the same code', async () => {
    const cache = cacheOf(load(code(1)))
    const next = load(code(1), cache)
    expect(next.refusedCache).toBe(false)
    expect(await next.run({}, {} as never)).toBe(1)
  })

  test.each([
    ['of longer code', () => cacheOf(load(code(100)))],
    ['that is garbage', () => Buffer.alloc(5000, 7)],
  ])('one %s is not used, and the code still is what it is', async (_, cache) => {
    const agent = load(code(1), cache())
    expect(agent.refusedCache).toBe(true)
    expect(await agent.run({}, {} as never)).toBe(1)
  })

  test('leaves in parts that join to the whole', () => {
    const source = `exports.agent = { threadbound: 'agent', run() {} }\n${Array.from({ length: 6000 }, (_, n) => `exports.f${n} = (function (a) { return a + ${n} })(1)`).join('\n')}`
    const first = load(source)
    const parts = [...first.codeCache()]
    expect(parts.length).toBeGreaterThan(1)
    expect(Math.max(...parts.map((part) => part.length))).toBeLessThanOrEqual(700_000)
    const cache = Buffer.from(parts.join(''), 'base64')
    expect(load(source, cache).refusedCache).toBe(false)
  })
})
