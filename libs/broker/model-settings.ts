import { type JSONValue, jsonSchema, type ModelMessage as SdkMessage, Output, tool, type ToolSet } from 'ai'
import type { GenerateRequest, ModelMessage } from '#lib/wire'

/** OpenAI's strict mode refuses most schemas: optional fields, open objects. The agent checks the answer itself. */
const ANY_SCHEMA = { openai: { strictJsonSchema: false } }

type Asked = Pick<GenerateRequest, 'prompt' | 'messages' | 'tools' | 'toolChoice' | 'output'>

/** What was asked, in the SDK's words. Its tools have nothing that runs: their calls are the answer. */
export function settingsFrom({ prompt, messages, tools, toolChoice, output }: Asked) {
  return {
    messages: messages ? messages.map(messageOf) : [{ role: 'user' as const, content: prompt! }],
    ...(tools && { tools: Object.fromEntries(tools.map(toolOf)) as ToolSet }),
    ...(toolChoice && {
      toolChoice:
        typeof toolChoice === 'string' ? toolChoice : { type: 'tool' as const, toolName: toolChoice.tool },
    }),
    ...(output && { output: Output.object({ schema: jsonSchema(output) }) }),
    providerOptions: ANY_SCHEMA,
  }
}

function toolOf({ name, description, input }: NonNullable<GenerateRequest['tools']>[number]) {
  return [
    name,
    tool({ inputSchema: jsonSchema(input), ...(description === undefined ? {} : { description }) }),
  ] as const
}

function messageOf(message: ModelMessage): SdkMessage {
  if (message.role === 'user') return message
  if (message.role === 'tool') {
    const { toolCallId, name: toolName, content } = message
    const output =
      typeof content === 'string'
        ? { type: 'text' as const, value: content }
        : { type: 'json' as const, value: (content ?? null) as JSONValue }
    return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] }
  }
  const { content: text, toolCalls = [] } = message
  const calls = toolCalls.map(({ id, name, input }) => ({
    type: 'tool-call' as const,
    toolCallId: id,
    toolName: name,
    input,
  }))
  return { role: 'assistant', content: [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...calls] }
}
