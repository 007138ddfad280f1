import { styleText } from 'node:util'
import { formatDuration } from '#lib/runtime'
import { attribute } from '#lib/telemetry'
import { attributeText } from './any-value.ts'
import { printable } from './printable.ts'
import type { StoredSpan } from './stored-span.ts'
import type { TraceTree, TreeRow } from './tree.ts'

/** How a tree is drawn. */
export interface RenderOptions {
  /** ANSI colours. Default: false. */
  color?: boolean
}

const NAME_WIDTH = 64
/** Deeper rows are drawn at this depth. */
const DRAWN_DEPTH = 24
/** What is worth a place beside a span, and what it is called there. */
const SHOWN: [name: string, label: string][] = [
  [attribute.agentType, 'agent'],
  [attribute.attempt, 'attempt'],
  [attribute.queueWaitMs, 'waited-ms'],
  [attribute.contextId, 'context'],
  [attribute.contextLevel, 'level'],
  [attribute.genAiRequestModel, 'model'],
  [attribute.secretName, 'secret'],
  [attribute.revokedLeases, 'revoked'],
]

/**
 * A trace for a terminal: per span its name, service, offset, duration, outcome or error, and what matters of its attributes.
 * Orphans are marked `(orphan)`, what a context said of itself `(claim)`.
 */
export function renderTree(tree: TraceTree, { color = false }: RenderOptions = {}): string {
  if (tree.rows.length === 0) return 'no spans'
  const paint = (style: Style, text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text
  const branches = drawBranches(tree.rows)
  const names = tree.rows.map((row, at) => `${branches[at]}${shortName(row)}`)
  const nameWidth = Math.max(...names.map((name) => name.length))
  const serviceWidth = Math.max(...tree.rows.map(({ span }) => shortText(span.service).length))
  const lines = tree.rows.map((row, at) => {
    const { span } = row
    const figures = `${time(row.offsetMs).padStart(9)} ${time(row.durationMs).padStart(9)}`
    const service = paint('dim', shortText(span.service).padEnd(serviceWidth))
    const line = `${names[at]!.padEnd(nameWidth)}  ${service} ${figures}  ${remarks(row, paint)}`
    return line.trimEnd()
  })
  return [headline(tree), ...lines].join('\n')
}

type Style = 'dim' | 'red' | 'green' | 'yellow'
type Paint = (style: Style, text: string) => string

function headline({ traceId, rows, durationMs, orphans }: TraceTree): string {
  const lost = orphans > 0 ? `, ${orphans} orphan${orphans === 1 ? '' : 's'}` : ''
  return `trace ${traceId}: ${rows.length} span${rows.length === 1 ? '' : 's'}${lost}, ${time(durationMs)}`
}

function remarks(row: TreeRow, paint: Paint): string {
  const { attributes } = row.span
  return [
    row.orphan ? paint('yellow', '(orphan)') : '',
    attributes[attribute.claim] === true ? paint('dim', '(claim)') : '',
    ending(row.span, paint),
    ...SHOWN.flatMap(([name, label]) =>
      attributes[name] === undefined
        ? []
        : [`${paint('dim', `${label}=`)}${shortText(attributeText(attributes[name]))}`],
    ),
  ]
    .filter(Boolean)
    .join(' ')
}

function ending({ status, statusMessage, attributes }: StoredSpan, paint: Paint): string {
  const outcome = attributes[attribute.outcome]
  if (status !== 'error')
    return outcome === undefined ? '' : paint('green', shortText(attributeText(outcome)))
  const facts = [outcome, attributes[attribute.errorType], statusMessage].filter((fact) => fact !== undefined)
  const distinct = [...new Set(facts.map((fact) => shortText(attributeText(fact))))]
  return paint('red', ['ERROR', ...distinct].join(' '))
}

/** `├─ ` and `└─ ` before every row. Walks backwards: a branch goes on below a row as long as a later row is drawn at its depth. */
function drawBranches(rows: TreeRow[]): string[] {
  const goesOn: boolean[] = []
  const drawn: string[] = []
  for (const row of rows.toReversed()) {
    const depth = Math.min(row.depth, DRAWN_DEPTH)
    const before = Array.from({ length: Math.max(0, depth - 1) }, (_, at) => (goesOn[at + 1] ? '│  ' : '   '))
    drawn.push(depth === 0 ? '' : `${before.join('')}${goesOn[depth] ? '├─ ' : '└─ '}`)
    goesOn.length = depth
    goesOn[depth] = true
  }
  return drawn.toReversed()
}

const shortName = ({ span }: TreeRow) => shortText(span.name || '(no name)', NAME_WIDTH)
function shortText(text: string, limit = 120): string {
  const safe = printable(text)
  return safe.length > limit ? `${safe.slice(0, limit - 1)}…` : safe
}
const time = (ms: number) => (ms < 100 ? `${ms.toFixed(1)} ms` : formatDuration(ms))
