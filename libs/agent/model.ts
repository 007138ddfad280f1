import type { Schema } from './define.ts'

/** The model of the agent type, or another that it may use. @throws BrokerError from both */
export interface AgentModel {
  /** One answer of the agent type's model. The sidecar calls the provider: no key is in the context. */
  generate<T = unknown>(options: GenerateOptions<T>): Promise<Generated<T>>
  /** The same as pieces of text; `answer` is the whole, once they have been read to the end. */
  stream<T = unknown>(
    options: GenerateOptions<T>,
  ): AsyncIterable<string> & { readonly answer: Promise<Generated<T>> }
}

/** What a model is asked: either `prompt` or `messages`. */
export interface GenerateOptions<T = unknown> {
  /** Default: the agent type's. */
  model?: string
  system?: string
  prompt?: string
  messages?: ModelMessage[]
  maxTokens?: number
  temperature?: number
  /** What the model may ask for, by name. It is the agent that does it, and answers with a `tool` message. */
  tools?: Record<string, ModelTool>
  /** Default: `auto`. */
  toolChoice?: 'auto' | 'none' | 'required' | { tool: string }
  /** What the answer must be: it comes parsed, and checked by this schema, as `output`. */
  output?: Schema<T> | JsonSchema
}

/** Something that a model may ask for. */
export interface ModelTool {
  description?: string
  /** What it is given; the model's input is not checked by it. */
  input: Schema<unknown> | JsonSchema
}

/** JSON Schema, where no library made it. */
export type JsonSchema = Record<string, unknown>

/** One turn of a conversation. */
export type ModelMessage =
  | { role: 'user'; content: string }
  | { role: 'assistant'; content: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; toolCallId: string; name: string; content: unknown }

/** What a model asks for. Its input is the model's word: parse it before you act on it. */
export interface ToolCall {
  id: string
  name: string
  input: unknown
}

/** The answer: usable as a string (`String(answer)`), with its facts. */
export interface Generated<T = unknown> {
  text: string
  /** Undefined where none was asked for, or where the model called a tool instead. */
  output?: T
  toolCalls: ToolCall[]
  model: string
  finishReason: string
  usage: { inputTokens: number; outputTokens: number }
  toString(): string
}
