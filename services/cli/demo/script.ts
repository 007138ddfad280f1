import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { CommandError } from '../errors.ts'

const Line = z.object({
  agent: z.string(),
  input: z.unknown(),
  expect: z
    .union([z.string(), z.object({ outcome: z.string(), type: z.string().optional() })])
    .transform((expect) => (typeof expect === 'string' ? { outcome: expect } : expect)),
})

/** One line of requests.jsonl: what to send, and how it must end. */
export interface ScriptLine {
  agent: string
  input: unknown
  expect: { outcome: string; type?: string | undefined }
}

/** Reads requests.jsonl. @throws CommandError naming the line that is wrong */
export function readScript(file: string): ScriptLine[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.flatMap((text, at) => (text.trim() === '' ? [] : [parseLine(text, `${file}:${at + 1}`)]))
}

function parseLine(text: string, place: string): ScriptLine {
  try {
    return Line.parse(JSON.parse(text))
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message
    throw new CommandError(`${place}: ${problem}`, { cause })
  }
}
