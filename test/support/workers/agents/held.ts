import { defineAgent } from 'threadbound/agent'

interface Input {
  gate: string
  how: 'obeys' | 'ignores' | 'spins' | 'throws'
}

/** Passes a gate, so that the test knows that it runs, and then goes on until it is cut short, in the way its input says. */
export default defineAgent({
  async run({ gate, how }: Input, ctx) {
    await ctx.call('other', { gate })
    ctx.progress('held')
    if (how === 'throws') throw new TypeError('the order has no lines')
    if (how === 'spins') for (;;);
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve, { once: true }))
    ctx.progress('aborted')
    if (how === 'ignores') await new Promise((resolve) => setTimeout(resolve, 3_600_000))
    ctx.emit({ reason: (ctx.signal.reason as { type: string }).type })
    throw ctx.signal.reason
  },
})
