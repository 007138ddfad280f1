import type { StoredSpan } from './stored-span.ts'

/** One line of a tree. */
export interface TreeRow {
  span: StoredSpan
  /** 0 for a root. */
  depth: number
  /** Its parent is not among the spans, or is its own descendant: the row is shown as a root. */
  orphan: boolean
  /** From the trace's start. */
  offsetMs: number
  durationMs: number
}

/** A trace as a tree: rows depth first, children by start. Flat, because depth belongs to whoever sent the spans. */
export interface TraceTree {
  /** Empty when there is no span. */
  traceId: string
  startMs: number
  durationMs: number
  orphans: number
  rows: TreeRow[]
}

/** Puts the spans of one trace in order. A cycle is cut at its earliest span. */
export function buildTree(spans: StoredSpan[]): TraceTree {
  const unique = new Map(spans.map((span) => [span.spanId, span]))
  const ordered = [...unique.values()].toSorted((a, b) => a.startMs - b.startMs)
  const startMs = ordered[0]?.startMs ?? 0
  const children = Map.groupBy(ordered, (span) => span.parentSpanId)
  const placed = new Set<string>()
  const rows: TreeRow[] = []

  const place = (root: StoredSpan, orphan: boolean) => {
    const stack = [{ span: root, depth: 0 }]
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { span, depth } = next
      if (placed.has(span.spanId)) continue
      placed.add(span.spanId)
      const durationMs = span.endMs - span.startMs
      rows.push({
        span,
        depth,
        orphan: orphan && depth === 0,
        offsetMs: span.startMs - startMs,
        durationMs,
      })
      const below = children.get(span.spanId) ?? []
      stack.push(...below.toReversed().map((child) => ({ span: child, depth: depth + 1 })))
    }
  }
  for (const span of ordered) if (!span.parentSpanId) place(span, false)
  for (const span of ordered) if (span.parentSpanId && !unique.has(span.parentSpanId)) place(span, true)
  for (const span of ordered) if (!placed.has(span.spanId)) place(span, true)

  const endMs = ordered.reduce((latest, span) => Math.max(latest, span.endMs), startMs)
  const orphans = rows.filter((row) => row.orphan).length
  return { traceId: ordered[0]?.traceId ?? '', startMs, durationMs: endMs - startMs, orphans, rows }
}
