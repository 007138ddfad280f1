/**
 * What agent code imports (`threadbound/agent`). Imports no other lib and no dependency.
 *
 * 1. Everything that reaches outside a context goes through `ctx`; nothing in here opens a connection of its own.
 * 2. What an agent throws fails its attempt, which may be made again; only an {@link AgentError} ends the request.
 */
export type { AgentContext, AgentLease, AgentLog, AgentSecrets } from './context.ts'
export { type AgentDefinition, defineAgent, type Schema } from './define.ts'
export type {
  AgentModel,
  Generated,
  GenerateOptions,
  JsonSchema,
  ModelMessage,
  ModelTool,
  ToolCall,
} from './model.ts'
export { AgentCallError, AgentError, BrokerError } from './errors.ts'
