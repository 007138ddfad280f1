import { defineAgent } from 'threadbound/agent'
import { families } from './families.ts'
import { type Facts, NEIGHBOUR } from './hostile.ts'
import { look } from './pollution.ts'

export default defineAgent({
  async run(input: unknown, ctx) {
    const facts = input as Facts
    const hostile = Object.values(families)
      .flat()
      .find(({ name }) => name === facts.attack)
    if (hostile) return hostile.attack(ctx, facts)
    if (facts.attack !== NEIGHBOUR) throw new Error(`no attack is called ${facts.attack}`)
    const before = work()
    const held = await ctx.call('hold', { gate: 'hold' })
    return { held, worked: before === work(), found: look() }
  },
})

function work(): number {
  let sum = 0
  for (let at = 0; at < 1e5; at++) sum = (sum * 31 + at) | 0
  return sum
}
