export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
export const SPAN = '00f067aa0ba902b7'
/** Start of {@link spanOf}, milliseconds since the epoch. */
export const START_MS = 1_790_000_000_000

/** An OTLP/JSON span of 10 ms with the differences given. */
export function spanOf(differences: object = {}): Record<string, unknown> {
  return {
    traceId: TRACE,
    spanId: SPAN,
    name: 'step',
    kind: 1,
    startTimeUnixNano: `${START_MS}000000`,
    endTimeUnixNano: `${START_MS + 10}000000`,
    attributes: [],
    status: {},
    ...differences,
  }
}

/** An OTLP/JSON trace export of one span per argument. */
export function exportOf(...spans: object[]): object {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'worker' } }] }
  return {
    resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'test' }, spans: spans.map(spanOf) }] }],
  }
}

/** A span id from a small number. */
export function idOf(number: number): string {
  return number.toString(16).padStart(16, '0')
}
