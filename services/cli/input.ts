import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { messageOf } from '#lib/runtime'
import { UsageError } from './errors.ts'

/** Reads `--input`: JSON itself, `@FILE`, or `-` for stdin. @throws UsageError */
export async function readInput(given: string): Promise<unknown> {
  const source = given === '-' ? 'stdin' : given.startsWith('@') ? given.slice(1) : '--input'
  const json = given === '-' ? await text(process.stdin) : given.startsWith('@') ? readText(source) : given
  try {
    return JSON.parse(json) as unknown
  } catch (cause) {
    throw new UsageError(`${source}: expected JSON: ${messageOf(cause)}`)
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`--input: ${messageOf(cause)}`)
  }
}
