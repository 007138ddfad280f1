/** Text to SQL by a small grammar over the schema that the prompt itself holds. No question is known beforehand. */
import { readQuestion } from './question.ts'
import { readSchema } from './schema.ts'
import { writeSql } from './write.ts'

/**
 * The SQL for the question in a prompt, or undefined when the prompt declares no table.
 * @param prompt schema (`CREATE TABLE` statements or `table(column, column)` lines) and question, in any order
 */
export function sqlFor(prompt: { system: string; user: string }): string | undefined {
  const system = readSchema(prompt.system)
  const user = readSchema(prompt.user)
  const tables = [...system.tables, ...user.tables]
  const query = readQuestion(questionIn(user.rest), tables)
  return query && writeSql(query, tables)
}

/** The tables that a prompt declares. */
export function tableNames({ system, user }: { system: string; user: string }): string[] {
  return [...readSchema(system).tables, ...readSchema(user).tables].map(({ name }) => name)
}

/** The question: what follows `Question:`, else the last sentence that ends in "?", else the last line. */
function questionIn(text: string): string {
  const marked = /(?:^|\n)\s*(?:question|request|task)\s*:\s*(.+?)(?:\n\s*\n|\n\s*[\w ]+:\s|$)/is.exec(
    text,
  )?.[1]
  if (marked) return marked.trim()
  const lines = text.split('\n').map((line) => line.trim())
  const filled = lines.filter((line) => line !== '' && !/^(schema|tables?|sql|answer)\s*:?$/i.test(line))
  return filled.findLast((line) => line.includes('?')) ?? filled.at(-1) ?? ''
}
