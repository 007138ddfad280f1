import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test } from 'vitest'
import { buildTree, printable, renderTree, type StoredSpan } from '#lib/traces'
import { attribute } from '#lib/telemetry'
import { idOf, TRACE } from '../../support/otlp.ts'

let at = 0
/** A span of 10 ms that starts 1 ms after the one made before it. */
function span(id: number, parent?: number, more: Partial<StoredSpan> = {}): StoredSpan {
  const startMs = 1000 + at++
  return {
    traceId: TRACE,
    spanId: idOf(id),
    ...(parent !== undefined && { parentSpanId: idOf(parent) }),
    name: `s${id}`,
    kind: 'internal',
    service: 'worker',
    startMs,
    endMs: startMs + 10,
    status: 'unset',
    attributes: {},
    links: [],
    events: [],
    ...more,
  }
}
const shape = (spans: StoredSpan[]) =>
  buildTree(spans).rows.map((row) => `${'.'.repeat(row.depth)}${row.span.name}${row.orphan ? '!' : ''}`)

describe('a tree from any spans', () => {
  test('children come below their parent, by start, whatever order they arrived in', () => {
    const [root, a, b, below] = [span(1), span(2, 1), span(3, 1), span(4, 2)]
    expect(shape([below, b, a, root])).toEqual(['s1', '.s2', '..s4', '.s3'])
  })

  test('a span whose parent is missing is an orphan with its own children', () => {
    expect(shape([span(1), span(2, 9), span(3, 2)])).toEqual(['s1', 's2!', '.s3'])
  })

  test('a cycle is cut at its earliest span, and nothing is lost or shown twice', () => {
    expect(shape([span(1), span(2, 4), span(3, 2), span(4, 3), span(5, 5)])).toEqual([
      's1',
      's2!',
      '.s3',
      '..s4',
      's5!',
    ])
  })

  test('a chain of 20,000 costs no stack', () => {
    const chain = Array.from({ length: 20_000 }, (_, step) => span(step + 1, step === 0 ? undefined : step))
    const tree = buildTree(chain)
    expect(tree.rows.at(-1)!.depth).toBe(19_999)
    expect(renderTree(tree).split('\n')).toHaveLength(20_001)
  })

  test('figures count from the first start to the last end', () => {
    const tree = buildTree([
      span(1, undefined, { startMs: 100, endMs: 150 }),
      span(2, 1, { startMs: 120, endMs: 190 }),
    ])
    expect(tree).toMatchObject({ traceId: TRACE, startMs: 100, durationMs: 90, orphans: 0 })
    expect(tree.rows[1]).toMatchObject({ offsetMs: 20, durationMs: 70 })
  })

  test('no spans make an empty tree', () => {
    expect(renderTree(buildTree([]))).toBe('no spans')
  })
})

const times = (startMs: number, endMs: number) => ({ startMs, endMs })

describe('a tree on a terminal', () => {
  test('is drawn with branches, figures, outcome and what matters', () => {
    const text = renderTree(
      buildTree([
        span(1, undefined, { name: 'POST /v1/requests', service: 'producer', ...times(0, 4.25) }),
        span(2, 1, {
          name: 'process coder',
          ...times(5, 1505),
          attributes: { [attribute.outcome]: 'completed', [attribute.attempt]: 2 },
        }),
        span(3, 2, { name: 'invoke_agent coder', ...times(10, 20), attributes: { [attribute.claim]: true } }),
        span(4, 2, {
          name: 'chat m',
          ...times(11, 20),
          status: 'error',
          attributes: { [attribute.errorType]: 'quota' },
          statusMessage: 'slow down',
        }),
        span(5, 1, { name: 'late', ...times(30, 31) }),
        span(6, 99, { name: 'lost', ...times(40, 41) }),
      ]),
    )
    expect(text.split('\n')).toEqual([
      `trace ${TRACE}: 6 spans, 1 orphan, 1.50 s`,
      'POST /v1/requests         producer    0.0 ms    4.3 ms',
      '├─ process coder          worker      5.0 ms    1.50 s  completed attempt=2',
      '│  ├─ invoke_agent coder  worker     10.0 ms   10.0 ms  (claim)',
      '│  └─ chat m              worker     11.0 ms    9.0 ms  ERROR quota slow down',
      '└─ late                   worker     30.0 ms    1.0 ms',
      'lost                      worker     40.0 ms    1.0 ms  (orphan)',
    ])
  })

  test('colours add nothing but colours', () => {
    const tree = buildTree([
      span(1, undefined, { attributes: { [attribute.outcome]: 'failed' }, status: 'error' }),
    ])
    expect(renderTree(tree, { color: true })).toContain('\u001b[31m')
    expect(stripVTControlCharacters(renderTree(tree, { color: true }))).toBe(renderTree(tree))
  })

  test.each([
    ['OSC 52', '\u001b]52;c;ZXZpbA==\u0007'],
    ['C1 CSI', '\u009b2J'],
    ['newline', 'a\nb\r'],
    ['delete', '\u007f'],
    ['bidi', '\u202eabc\u2066'],
    ['zero width', 'a\u200bb\ufeff'],
    ['line separator', 'a\u2028b'],
    ['tag', '\u{e0041}'],
    ['lone surrogate', '\ud800'],
  ])('%s in anything a span says is escaped', (_what, evil) => {
    const text = renderTree(
      buildTree([
        span(1, undefined, {
          name: evil,
          service: evil,
          status: 'error',
          statusMessage: evil,
          attributes: {
            [attribute.outcome]: evil,
            [attribute.errorType]: evil,
            [attribute.secretName]: evil,
            [attribute.genAiRequestModel]: [evil],
          },
        }),
      ]),
    )
    expect(text.split('\n')).toHaveLength(2)
    expect(text).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]|[^\n\P{Cc}]/u)
  })

  test('plain text of any language stays as it is', () => {
    expect(printable('naïve 名前 🎉 עברית')).toBe('naïve 名前 🎉 עברית')
    expect(printable('\u001b[2J')).toBe('\\u{1b}[2J')
  })
})
