import { formatDuration } from '#lib/runtime'
import * as z from 'zod'
import type { RequestView } from '#lib/client'
import { facts, jsonText } from './terminal.ts'

/** What is shown of an attempt or a receipt. Anything else, or of another kind, is left out. */
const Attempt = z.object({
  attempt: z.number(),
  outcome: z.string(),
  runMs: z.number(),
  error: z.object({ type: z.string(), message: z.string() }).optional(),
})
const Limit = z.object({ value: z.number(), by: z.string() }).nullish().catch(undefined)
const Measures = z.object({
  cpuMs: z.number().nullish().catch(undefined),
  uid: z.number().optional().catch(undefined),
  overshootBytes: z.number().nullish().catch(undefined),
  limits: z
    .object({ memoryBytes: Limit, processes: Limit, openFiles: Limit, cpuWeight: Limit })
    .optional()
    .catch(undefined),
})

/** A request for people: how it ended, its result or error, every attempt where there was more than one, and the receipt. */
export function requestText(view: RequestView): string {
  const head = facts([
    ['request', view.id],
    ['agent', view.agent],
    ['outcome', view.outcome ?? `${view.state}, ${view.cancelledAt ? 'being cancelled' : 'not ended yet'}`],
    ['error', view.error && `${view.error.type}: ${view.error.message}`],
    ['attempts', view.attempts],
    ['queue wait', duration(view.queuedMs)],
    ['run time', duration(view.runMs)],
    ['trace', view.traceId],
  ])
  return [head, attemptsText(view), receiptText(view), resultText(view)].filter(Boolean).join('\n\n')
}

function attemptsText({ attemptRecords }: RequestView): string {
  const records = z.array(Attempt).safeParse(attemptRecords).data ?? []
  if (records.length < 2) return ''
  const lines = records.map(({ attempt, outcome, runMs, error }): [string, string] => [
    `attempt ${attempt}`,
    `${outcome} after ${formatDuration(runMs)}${error ? `, ${error.type}: ${error.message}` : ''}`,
  ])
  return facts(lines)
}

function receiptText({ receipt }: RequestView): string {
  if (!receipt) return ''
  const { cpuMs, uid, limits, overshootBytes } = Measures.parse(receipt)
  const memory =
    limits?.memoryBytes && ` of ${megabytes(limits.memoryBytes.value)}, held by ${limits.memoryBytes.by}`
  const over = overshootBytes ? `, ${megabytes(overshootBytes)} above it` : ''
  const counted = [
    held('processes', limits?.processes),
    held('open files', limits?.openFiles),
    held('CPU weight', limits?.cpuWeight),
  ]
  return facts([
    ['receipt', `context ${receipt.context}, level ${receipt.level}, entered ${receipt.reuse} times before`],
    ['process', `pid ${receipt.pid}${uid === undefined ? '' : `, uid ${uid}`}, ended by: ${receipt.endedBy}`],
    [
      'memory',
      receipt.peakBytes === null ? undefined : `${megabytes(receipt.peakBytes)}${memory ?? ''}${over}`,
    ],
    ['limits', counted.filter(Boolean).join(', ') || undefined],
    ['CPU time', typeof cpuMs === 'number' ? formatDuration(cpuMs) : undefined],
  ])
}

const resultText = ({ outcome, result }: RequestView) => (outcome === 'completed' ? jsonText(result, 2) : '')
const held = (name: string, limit: z.infer<typeof Limit>) => limit && `${limit.value} ${name} by ${limit.by}`
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
const duration = (ms: number | undefined) => (ms === undefined ? undefined : formatDuration(ms))
