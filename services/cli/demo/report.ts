import type { TraceTree } from '#lib/traces'
import { formatDuration } from '#lib/runtime'
import type { RequestView } from '#lib/client'
import { facts, jsonText, printableLines, table, terminalWidth } from '../terminal.ts'
import { treeText } from '../traces.ts'
import { asExpected, type Played } from './verdict.ts'

const FIGURES = ['attempts', 'queue wait', 'run time']
const HEADER = ['request', 'agent', 'outcome', ...FIGURES, 'key and generation', 'context', 'level']
const LONGEST_TEXT = 300

/** One line as a request ends. */
export function progressLine({ line, view, ...more }: Played, done: number, all: number): string {
  const place = `${String(done).padStart(String(all).length)}/${all}`
  const expected = view.outcome === 'completed' || !asExpected({ line, view, ...more }) ? '' : ', as expected'
  const asked = entries(line.input)
    .map(([, text]) => text)
    .join(' / ')
  return printableLines(`demo: ${place} ${view.agent} ${outcomeOf(view)}${expected}: ${asked}`)
}

/** One row for each request. */
export function requestTable(played: Played[]): string {
  const rows = played.map(({ view, keys }) => [
    view.id.slice(view.id.indexOf('.') + 1),
    view.agent,
    outcomeOf(view),
    view.attempts,
    duration(view.queuedMs),
    duration(view.runMs),
    keys.join(', ') || undefined,
    view.receipt?.context,
    view.receipt?.level,
  ])
  return table(HEADER, rows, { figures: FIGURES, width: terminalWidth() })
}

/** What was asked and answered: the first request of each agent type. */
export function answersText(played: Played[]): string {
  const byAgent = Map.groupBy(played, ({ view }) => view.agent)
  const texts = [...byAgent].map(([agent, [first]]) => {
    const { result, error } = first!.view
    const said = entries(result ?? error).map(([name, text]): [string, string] => [`-> ${name}`, text])
    return `${agent}\n${facts([...entries(first!.line.input), ...said])}`
  })
  return ['The first request of each agent type:', ...texts].join('\n\n')
}

/** A JSON object as names and short texts. */
function entries(value: unknown): [string, string][] {
  const object = typeof value === 'object' && value !== null ? value : { value }
  return Object.entries(object).map(([name, inner]) => [name, short(plain(inner))])
}

const plain = (value: unknown) => (typeof value === 'string' ? value : jsonText(value))
/** One trace as a tree, under the request it belongs to. */
export function traceText({ view }: Played, tree: TraceTree): string {
  return `One request as one trace: ${view.id}\n\n${treeText(tree)}`
}

/** Where a newcomer goes from here. */
export const NEXT_STEPS = `Where to look further. This cluster is stopped now; the next one stays:
  npm start                        the same cluster until Ctrl-C; it prints the addresses of console and traces
In a second terminal:
  npx threadbound agents           its agent types
  npx threadbound enqueue request-handler --wait --input '{"message":"Where is my parcel?"}'
  npx threadbound request ID       how a request ended, and what was measured of its context
  npx threadbound trace ID         what happened to it, as above
What ran here:
  deploy/demo/threadbound.yaml     the cluster file
  deploy/demo/agents/              the agents
  deploy/demo/requests.jsonl       the requests`

/** The outcome, and the type of a failed one. */
function outcomeOf({ outcome, state, error }: RequestView): string {
  return outcome === 'failed' && error ? `failed: ${error.type}` : (outcome ?? state)
}

const duration = (ms: number | undefined) => (ms === undefined ? undefined : formatDuration(ms))
const short = (text: string) => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text)
