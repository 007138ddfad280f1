import { defineAgent } from 'threadbound/agent'
import { formsOf } from './forms.ts'

/** Puts its secret, and a marker that is none, everywhere that an agent can put something. */
export default defineAgent({
  async run(input, ctx) {
    const { marker } = input as { marker: string }
    const value = await ctx.secrets.get('plain')
    const said = { marker, ...formsOf(value) }
    ctx.log.info({ ...said, [value]: 1 }, `log ${marker} ${value}`)
    ctx.progress(said)
    ctx.emit(said)
    await ctx.span(`span ${marker} ${value}`, () => {})
    process.stdout.write(`stdout ${marker} ${value.slice(0, 7)}`)
    process.stdout.write(`${value.slice(7)}\n`)
    process.stderr.write(`stderr ${marker} ${Buffer.from(value).toString('hex')}\n`)
    ctx.memory = said
    await ctx.call('listens', said)
    return said
  },
})
