import * as z from 'zod'
import { BUILT_IN } from '../builtin.ts'
import { AgentKeys, DefaultKeys, ThreadBoundKeys } from './agent.ts'
import { optional, required } from './field.ts'
import { webhookUrl } from './network.ts'
import { flag, name, oneOf, percent } from './scalars.ts'
import { SecretKeys } from './secret.ts'

const Route = z.strictObject({
  provider: required(oneOf(['anthropic', 'openai']), {
    type: 'anthropic, openai',
    meaning: 'Which API serves the model',
  }),
  secret: required(name(), { type: 'secret', meaning: 'The secret that pays for it' }),
})

const Alerts = z.strictObject({
  'concurrency-above': optional(percent(), {
    type: 'percentage',
    default: BUILT_IN.concurrencyAbove,
    meaning: 'Alert when an agent type uses more of its max-concurrency',
  }),
  'unexpected-source': optional(flag(), {
    type: 'true, false',
    default: 'true',
    meaning: 'Alert when a secret is used from outside its sources',
  }),
  'rotation-failed': optional(flag(), {
    type: 'true, false',
    default: 'true',
    meaning: 'Alert when a rotation fails',
  }),
  webhook: optional(webhookUrl(), { type: 'URL', meaning: 'Where alerts are posted' }),
})

const Development = z.strictObject({
  'stand-in': optional(z.array(oneOf(['anthropic', 'openai', 'postgres'])), {
    type: 'list of anthropic, openai, postgres',
    default: '[]',
    meaning: 'Services that `up` serves itself; an error in environment production',
  }),
})

/** The whole file. */
export const FileKeys = z.strictObject({
  cluster: optional(name(), {
    type: 'name',
    default: BUILT_IN.cluster,
    meaning: 'Name of the cluster',
  }),
  environment: optional(name(), {
    type: 'name',
    default: BUILT_IN.environment,
    meaning: 'Queues, secrets, policies and roles are separate per environment',
  }),
  development: optional(Development, { type: 'mapping', meaning: 'Conveniences of one machine' }),
  defaults: optional(DefaultKeys, { type: 'mapping', meaning: 'What holds for all agent types' }),
  'thread-bound-agents': optional(ThreadBoundKeys, {
    type: 'mapping',
    meaning: 'What holds for thread-bound agent types; goes before `defaults`',
  }),
  agents: optional(z.record(z.string(), AgentKeys), {
    type: 'mapping',
    meaning: 'The agent types, by name',
    entry: '<name>',
  }),
  models: optional(z.record(z.string(), Route), {
    type: 'mapping',
    default: '`claude-*`, `gpt-*`',
    meaning: 'Which provider serves a model name; a name, or its beginning and `*`',
    entry: '<model>',
  }),
  secrets: optional(z.record(z.string(), SecretKeys), {
    type: 'mapping',
    meaning: 'The secrets, by name; never their values',
    entry: '<name>',
  }),
  alerts: optional(Alerts, { type: 'mapping', meaning: 'When an operator is told' }),
})

/** A file whose shape is right: keys as written, quantities as numbers. */
export type FileContent = z.output<typeof FileKeys>
/** One agent type as written. */
export type AgentContent = z.output<typeof AgentKeys>
/** One secret as written. */
export type SecretContent = z.output<typeof SecretKeys>
