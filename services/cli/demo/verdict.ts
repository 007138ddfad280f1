import type { RequestView } from '#lib/client'
import type { Rotated } from './rotation.ts'
import type { ScriptLine } from './script.ts'

/** A request of the demo with what became of it. */
export interface Played {
  line: ScriptLine
  view: RequestView
  /** Keys that its calls carried, each with its generation. */
  keys: string[]
}

/** The JSON object of one request, as `demo --json` prints it. */
export function record({ view, keys }: Played) {
  const { context, level, reuse, pid, peakBytes, endedBy } = view.receipt ?? {}
  return {
    id: view.id,
    agent: view.agent,
    outcome: view.outcome ?? null,
    attempts: view.attempts,
    result: view.result ?? null,
    error: view.error ?? null,
    traceId: view.traceId ?? null,
    queuedMs: view.queuedMs ?? null,
    runMs: view.runMs ?? null,
    keys,
    receipt: view.receipt ? { context, level, reuse, pid, peakBytes, endedBy } : null,
  }
}

/** Everything that is not as it must be: outcomes, own contexts, no reuse, the level. Empty when all is well. */
export function faults(played: Played[], level: string): string[] {
  return [...played.flatMap((one) => faultsOf(one, level)), ...sharedContexts(played)]
}

/** Both generations of a key that changed in the middle must have served requests: else nothing was shown. */
export function rotationFaults(played: Played[], { secret, generation }: Rotated): string[] {
  const served = new Set(played.flatMap(({ keys }) => keys))
  return [generation - 1, generation].flatMap((wanted) =>
    served.has(`${secret} ${wanted}`) ? [] : [`no request was served by generation ${wanted} of ${secret}`],
  )
}

/** The request ended as its line says. */
export function asExpected({ line, view }: Played): boolean {
  const { outcome, type } = line.expect
  return view.outcome === outcome && (type === undefined || view.error?.type === type)
}

function faultsOf({ line, view }: Played, level: string): string[] {
  const { outcome, type } = line.expect
  const found = view.outcome ?? view.state
  const said = view.error ? ` (${view.error.type}: ${view.error.message})` : ''
  const { receipt } = view
  return [
    ...(found === outcome ? [] : [`${view.id}: expected ${outcome}, found ${found}${said}`]),
    ...(type === undefined || view.error?.type === type
      ? []
      : [`${view.id}: expected an error of type ${type}${said}`]),
    ...(receipt ? [] : [`${view.id}: has no receipt`]),
    ...(receipt && receipt.reuse !== 0
      ? [`${view.id}: its context was used ${receipt.reuse} times before`]
      : []),
    ...(receipt && receipt.level !== level ? [`${view.id}: ran at level ${receipt.level}`] : []),
  ]
}

function sharedContexts(played: Played[]): string[] {
  const withReceipt = played.filter(({ view }) => view.receipt)
  const byContext = Map.groupBy(withReceipt, ({ view }) => view.receipt!.context)
  return [...byContext]
    .filter(([, users]) => users.length > 1)
    .map(([context, users]) => `context ${context} served ${users.map(({ view }) => view.id).join(' and ')}`)
}
