import { SourceMap } from 'node:module'
import type { WireError } from '#lib/wire'
import type { Bundle } from './bundle.ts'

/** An error of a context with its stack in terms of the agent's own files. */
export function mapError(error: WireError, bundle: Bundle): WireError {
  return error.stack ? { ...error, stack: mapStack(error.stack, bundle) } : error
}

/** Replaces places in the bundle by places in its sources; lines it cannot place stay as they are. */
function mapStack(stack: string, bundle: Bundle): string {
  if (!stack.includes(bundle.filename)) return stack
  const map = new SourceMap(JSON.parse(bundle.sourceMap))
  return stack
    .split('\n')
    .map((line) => mapLine(line, map, bundle.filename))
    .join('\n')
}

function mapLine(line: string, map: SourceMap, filename: string): string {
  const at = line.indexOf(`${filename}:`)
  const place = at < 0 ? null : /^(\d+):(\d+)/.exec(line.slice(at + filename.length + 1))
  if (!place) return line
  const found = map.findEntry(Number(place[1]) - 1, Number(place[2]) - 1)
  if (!('originalSource' in found) || !found.originalSource) return line
  const source = `${found.originalSource}:${found.originalLine + 1}:${found.originalColumn + 1}`
  return line.replace(`${filename}:${place[0]}`, source)
}
