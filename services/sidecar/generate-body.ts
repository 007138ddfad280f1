import type { GenerateRequest } from '#lib/wire'
import * as z from 'zod'

const Text = z.string().max(4 * 2 ** 20)
const id = z.string().min(1).max(200)
/** What both providers take as the name of a tool. */
const toolName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -, at most 64')
const JsonSchema = z.record(z.string(), z.unknown())
const Json = z.unknown().refine((value) => value !== undefined, 'is missing')

const Message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('user'), content: Text }),
  z.strictObject({
    role: z.literal('assistant'),
    content: Text,
    toolCalls: z
      .array(z.strictObject({ id, name: toolName, input: Json }))
      .max(1000)
      .exactOptional(),
  }),
  z.strictObject({ role: z.literal('tool'), toolCallId: id, name: toolName, content: Json }),
])

/** What a model may be asked. */
export const GenerateBody: z.ZodType<GenerateRequest> = z.strictObject({
  model: z.string().min(1).max(200).exactOptional(),
  system: Text.exactOptional(),
  prompt: Text.exactOptional(),
  messages: z.array(Message).min(1).max(10_000).exactOptional(),
  maxTokens: z.int().min(1).max(10_000_000).exactOptional(),
  temperature: z.number().min(0).max(2).exactOptional(),
  tools: z
    .array(z.strictObject({ name: toolName, description: Text.exactOptional(), input: JsonSchema }))
    .min(1)
    .max(128)
    .exactOptional(),
  toolChoice: z
    .union([z.enum(['auto', 'none', 'required']), z.strictObject({ tool: toolName })])
    .exactOptional(),
  output: JsonSchema.exactOptional(),
})
