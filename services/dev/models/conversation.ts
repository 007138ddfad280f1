import { type Fault, faultIn } from './faults.ts'
import { proseFor } from './prose.ts'
import { sqlFor, tableNames } from './sql/index.ts'

/** What both wire formats come down to. */
export interface Conversation {
  model: string
  system: string
  user: string
  stream: boolean
}

/** An answer with a rough count of tokens: four characters each. */
export interface Answer {
  text: string
  inputTokens: number
  outputTokens: number
}

/** The answer to a conversation: SQL where it declares a schema and asks for SQL, or that no table answers; else prose. */
export function answerTo(conversation: Conversation, key: string): Answer {
  const text = faultOf(conversation)?.kind === 'echo-key' ? `The key is ${key}.` : textFor(conversation)
  return {
    text,
    inputTokens: tokensOf(`${conversation.system}${conversation.user}`),
    outputTokens: tokensOf(text),
  }
}

/** The fault that a test wrote into the prompt. */
export function faultOf({ system, user }: Conversation): Fault | undefined {
  return faultIn(`${system}\n${user}`)
}

function textFor(conversation: Conversation): string {
  const wantsSql = /\bsql\b|\bquery\b/i.test(`${conversation.system}\n${conversation.user}`)
  return (wantsSql ? sqlOrRefusal(conversation) : undefined) ?? proseFor(conversation)
}

function sqlOrRefusal(conversation: Conversation): string | undefined {
  const sql = sqlFor(conversation)
  if (sql !== undefined) return sql
  const names = tableNames(conversation)
  return names.length > 0 ? `None of the tables ${names.join(', ')} answers this.` : undefined
}

const tokensOf = (text: string) => Math.max(1, Math.ceil(text.length / 4))
