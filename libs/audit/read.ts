import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseLine } from './chain.ts'

/** Which events are wanted; what is absent is no condition. */
export interface AuditFilter {
  /** Epoch milliseconds: events from then on. */
  since?: number | undefined
  secret?: string | undefined
  agentType?: string | undefined
  traceId?: string | undefined
}

/** An event as it was written: plain values alone. */
export type WrittenEvent = Record<string, string | number | boolean> & { seq: number; time: string }

/** The events of a log in their order. A line that is none is left out: whether there is one, `verifyAudit` says. */
export async function* readAudit(file: string, filter: AuditFilter = {}): AsyncGenerator<WrittenEvent> {
  const { since = -Infinity, ...wanted } = filter
  const fields = Object.entries(wanted).filter(([, value]) => value !== undefined)
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (!parseLine(line)) continue
    const event = JSON.parse(line) as WrittenEvent
    if (Date.parse(event.time) < since) continue
    if (fields.every(([field, value]) => event[field] === value)) yield event
  }
}
