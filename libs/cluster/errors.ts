import { PermanentError } from '#lib/runtime'
import { printable } from './source/printable.ts'

/** One thing that is wrong in a cluster file. Line and column count from 1; line 0 means the file as a whole. */
export interface Problem {
  line: number
  column: number
  /** Keys from the top, joined by dots; empty for the file as a whole. */
  path: string
  message: string
}

/** Lines that one message holds at most; `problems` holds all. */
const SHOWN = 100

/** A cluster file that cannot be used. Its message has one line for each problem, in the order of the file. */
export class ClusterFileError extends PermanentError {
  override readonly name = 'ClusterFileError'
  readonly problems: readonly Problem[]

  constructor(file: string, problems: Problem[], options?: ErrorOptions) {
    const sorted = inOrder(problems)
    super(formatProblems(file, sorted), options)
    this.problems = sorted
  }
}

/** A problem with the file as a whole. */
export function wholeFile(message: string): Problem {
  return { line: 0, column: 0, path: '', message }
}

/** Problems for people, one a line: `threadbound.yaml:12:5 agents.coordinator.timeout: expected …`. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  const lines = problems.slice(0, SHOWN).map((problem) => formatProblem(printable(file, 500), problem))
  const hidden = problems.length - lines.length
  return [...lines, ...(hidden > 0 ? [`and ${hidden} more problems`] : [])].join('\n')
}

function formatProblem(file: string, { line, column, path, message }: Problem): string {
  const place = line > 0 ? `${file}:${line}:${column}` : `${file}:`
  return path ? `${place} ${path}: ${message}` : `${place} ${message}`
}

function inOrder(problems: Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems
    .filter((problem) => {
      const id = JSON.stringify([problem.line, problem.column, problem.path, problem.message])
      return !seen.has(id) && seen.add(id)
    })
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
}
