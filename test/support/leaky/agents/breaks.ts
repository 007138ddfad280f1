import { defineAgent } from 'threadbound/agent'

/** Fails with its secret in the error's type, message and stack. */
export default defineAgent({
  async run(input, ctx) {
    const { marker } = input as { marker: string }
    const value = await ctx.secrets.get('plain')
    const error = Object.assign(new Error(`message ${marker} ${value}`), { type: value })
    error.stack = `Error: stack ${marker} ${value}\n    at ${encodeURIComponent(value)}`
    throw error
  },
})
