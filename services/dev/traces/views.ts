import { attribute } from '#lib/telemetry'
import { formatDuration } from '#lib/runtime'
import { attributeText, type StoredSpan, type TraceSummary, type TraceTree, type TreeRow } from '#lib/traces'
import { html, type Markup } from './html.ts'

/** The form that asks for the token; `next` is where a login leads to. */
export function loginView(next: string, problem = ''): Markup {
  return html`<form method="post" action="/login">
    <p class="problem">${problem}</p>
    <label>Token <input name="token" type="password" autocomplete="off" autofocus required /></label
    ><input name="next" type="hidden" value="${next}" /><button>Log in</button>
    <p class="hint">
      <code>threadbound up</code> says in which file the token is: <code>credentials/telemetry-token</code>.
    </p>
  </form>`
}

/** The traces that got spans last. */
export function listView(traces: TraceSummary[]): Markup {
  if (traces.length === 0) return html`<p>No trace has arrived yet.</p>`
  const rows = traces.map(
    ({ traceId, name, service, agentType, startMs, durationMs, spans, errors }) =>
      html`<tr>
        <td><a href="/traces/${traceId}">${name || traceId}</a></td>
        <td>${agentType ?? ''}</td>
        <td>${service}</td>
        <td>${moment(startMs)}</td>
        <td class="figure">${time(durationMs)}</td>
        <td class="figure">${spans}</td>
        <td class="figure ${errors > 0 ? 'error' : ''}">${errors}</td>
      </tr>`,
  )
  return html`<table>
    <thead>
      <tr>
        <th>trace</th>
        <th>agent</th>
        <th>service</th>
        <th>start</th>
        <th class="figure">duration</th>
        <th class="figure">spans</th>
        <th class="figure">errors</th>
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`
}

/** The waterfall of one trace: each span opens to show its attributes. */
export function traceView(tree: TraceTree): Markup {
  const orphans = tree.orphans > 0 ? `, ${tree.orphans} without their parent` : ''
  return html`<p>${moment(tree.startMs)}, ${time(tree.durationMs)}, ${tree.rows.length} spans${orphans}</p>
    <p class="hint">A line opens to show its attributes. <em>claim</em>: told by the context itself.</p>
    <div class="waterfall">${tree.rows.map((row) => rowView(row, tree.durationMs))}</div>`
}

function rowView(row: TreeRow, totalMs: number): Markup {
  const { span, depth, orphan } = row
  const marks = [orphan ? 'orphan' : '', span.attributes[attribute.claim] === true ? 'claim' : ''].filter(
    Boolean,
  )
  return html`<details>
    <summary class="${span.status}">
      <span class="name d${Math.min(depth, 24)}" title="${span.name}"
        >${span.name || '(no name)'} ${marks.map((mark) => html`<em>${mark}</em> `)}</span
      ><span class="service">${span.service}</span>${barView(row, totalMs)}<span class="figure"
        >${time(row.durationMs)}</span
      >
    </summary>
    ${factsView(span)}
  </details>`
}

/** SVG, because its geometry is attributes: the policy of the page allows no style of a single element. */
function barView({ offsetMs, durationMs }: TreeRow, totalMs: number): Markup {
  const scale = 1000 / Math.max(totalMs, 0.001)
  const width = Math.max(durationMs * scale, 2)
  const x = Math.min(offsetMs * scale, 1000 - width)
  return html`<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
    <rect x="${x.toFixed(2)}" y="1" width="${width.toFixed(2)}" height="8"></rect>
  </svg>`
}

function factsView(span: StoredSpan): Markup {
  const facts: [string, string][] = [
    ['span', span.spanId],
    ['parent', span.parentSpanId ?? 'none'],
    ['kind', span.kind],
    ['status', [span.status, span.statusMessage].filter(Boolean).join(': ')],
    ...span.links.map((link): [string, string] => ['link', `${link.traceId}-${link.spanId}`]),
    ...Object.entries(span.attributes).map(([name, value]): [string, string] => [name, attributeText(value)]),
    ...span.events.map((event): [string, string] => [`event ${event.name}`, attributeText(event.attributes)]),
  ]
  return html`<dl>
    ${facts.map(
      ([name, value]) =>
        html`<dt>${name}</dt>
          <dd>${value}</dd>`,
    )}
  </dl>`
}

const time = (ms: number) => (ms < 100 ? `${ms.toFixed(1)} ms` : formatDuration(ms))
const moment = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC')
