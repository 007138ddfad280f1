/**
 * The small span store: an OTLP/JSON receiver over node:sqlite, and the tree of a trace.
 *
 * 1. Bounded: spans, their age, their texts and the depth of what they hold. The oldest go first.
 * 2. A span that our processes measured replaces a claim with the same id, and is never replaced.
 * 3. Any set of spans has a tree: orphans are marked, cycles are cut, depth costs no stack.
 * 4. Nothing that a span says reaches a terminal or a page unescaped ({@link printable}).
 */
export { attributeText } from './any-value.ts'
export { OtlpError, parseOtlp } from './otlp.ts'
export { printable } from './printable.ts'
export { renderTree, type RenderOptions } from './render.ts'
export type { AttributeValue, SpanEvent, SpanLink, StoredSpan } from './stored-span.ts'
export { TraceStore, type TraceStoreOptions, type TraceSummary } from './store.ts'
export { buildTree, type TraceTree, type TreeRow } from './tree.ts'
