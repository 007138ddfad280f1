import { renderTree, type TraceTree } from '#lib/traces'
import { table } from '../terminal.ts'
import type { Played } from './verdict.ts'

const HEADER = ['request', 'agent', 'outcome', 'attempts', 'queue wait', 'run time', 'context', 'level']

/** One row for each request. */
export function requestTable(played: Played[]): string {
  const rows = played.map(({ view }) => [
    view.id.slice(view.id.indexOf('.') + 1),
    view.agent,
    view.outcome ?? view.state,
    view.attempts,
    milliseconds(view.queuedMs),
    milliseconds(view.runMs),
    view.receipt?.context,
    view.receipt?.level,
  ])
  return table(HEADER, rows)
}

/** One trace as a tree, under the request it belongs to. */
export function traceText({ view }: Played, tree: TraceTree, color: boolean): string {
  return `One request as one trace: ${view.id}\n\n${renderTree(tree, { color })}`
}

/** Where a newcomer goes from here. */
export const NEXT_STEPS = [
  'Where to look further:',
  '  npm start                                   the same cluster, kept running, with console and traces',
  '  npx threadbound agents                      its agent types (in a second terminal)',
  `  npx threadbound enqueue request-handler --wait --input '{"message":"Where is my parcel?"}'`,
  '  npx threadbound trace REQUEST               what happened to one request',
  '  deploy/demo/threadbound.yaml, deploy/demo/agents/   the cluster file and the agents',
].join('\n')

const milliseconds = (ms: number | undefined) => (ms === undefined ? undefined : `${Math.round(ms)} ms`)
