import { stripVTControlCharacters, styleText } from 'node:util'
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
  /** Columns of the terminal: long names are cut and remarks that do not fit are left out. Default: no limit. */
  width?: number | undefined
}

const NAME_WIDTH = 64
const NARROWEST_NAME = 24
/** Of the two figures with the spaces around them. */
const FIGURES_WIDTH = 23
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
export function renderTree(tree: TraceTree, { color = false, width = Infinity }: RenderOptions = {}): string {
  if (tree.rows.length === 0) return 'no spans'
  const paint = (style: Style, text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text
  const branches = drawBranches(tree.rows)
  const names = tree.rows.map((row, at) => `${branches[at]}${shortName(row)}`)
  const serviceWidth = Math.max(...tree.rows.map(({ span }) => shortText(span.service).length))
  const room = Math.max(NARROWEST_NAME, width - serviceWidth - FIGURES_WIDTH)
  const nameWidth = Math.min(room, Math.max(...names.map((name) => name.length)))
  const lines = tree.rows.map((row, at) => {
    const { span } = row
    const figures = `${time(row.offsetMs).padStart(9)} ${time(row.durationMs).padStart(9)}`
    const service = paint('dim', shortText(span.service).padEnd(serviceWidth))
    const line = `${cut(names[at]!, nameWidth).padEnd(nameWidth)}  ${service} ${figures}`
    return withRemarks(line, remarks(row, paint), width)
  })
  return [headline(tree), ...lines].join('\n')
}

/** The remarks that fit, the first ones first: what matters most comes first. */
function withRemarks(line: string, all: string[], width: number): string {
  let text = line
  for (const remark of all) {
    const longer = `${text}${text === line ? '  ' : ' '}${remark}`
    if (stripVTControlCharacters(longer).length > width) break
    text = longer
  }
  return text
}

type Style = 'dim' | 'red' | 'green' | 'yellow'
type Paint = (style: Style, text: string) => string

function headline({ traceId, rows, durationMs, orphans }: TraceTree): string {
  const lost = orphans > 0 ? `, ${orphans} orphan${orphans === 1 ? '' : 's'}` : ''
  return `trace ${traceId}: ${rows.length} span${rows.length === 1 ? '' : 's'}${lost}, ${time(durationMs)}`
}

function remarks(row: TreeRow, paint: Paint): string[] {
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
  ].filter(Boolean)
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
  return cut(printable(text), limit)
}
const cut = (text: string, limit: number) => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text)
const time = (ms: number) => (ms < 100 ? `${ms.toFixed(1)} ms` : formatDuration(ms))
