import { AgentError, defineAgent } from 'threadbound/agent'

/** The agent of a type without a handler: one message in, the model's answer out. Its system text is set when it is bundled. */

declare const TB_SYSTEM: string

const MESSAGE_CHARACTERS = 20_000
const objectOf = (properties: object) => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})

/** By hand: a schema library would be most of what every context of this agent loads. */
const input = {
  parse(value: unknown): { message: string } {
    const { message } = (value ?? {}) as { message?: unknown }
    const fits = typeof message === 'string' && message.length > 0 && message.length <= MESSAGE_CHARACTERS
    if (!fits)
      throw new AgentError('invalid-input', `message: expected 1 to ${MESSAGE_CHARACTERS} characters`)
    return { message }
  },
  toJSONSchema: () => objectOf({ message: { type: 'string', minLength: 1, maxLength: MESSAGE_CHARACTERS } }),
}
const output = {
  parse: (value: unknown) => value as { answer: string },
  toJSONSchema: () => objectOf({ answer: { type: 'string' } }),
}

export default defineAgent({
  input,
  output,
  async run({ message }, ctx) {
    const system = TB_SYSTEM ? { system: TB_SYSTEM } : {}
    const { text } = await ctx.model.generate({ ...system, prompt: message })
    return { answer: text }
  },
})
