/** What agent code imports (`threadbound/agent`). Imports no other lib and no dependency. */
export type {
  AgentContext,
  AgentLease,
  AgentLog,
  AgentModel,
  AgentSecrets,
  Generated,
  GenerateOptions,
} from './context.ts'
export { type AgentDefinition, defineAgent, type Schema } from './define.ts'
export { AgentCallError, AgentError, BrokerError } from './errors.ts'
