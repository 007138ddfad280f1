import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace'
import { openTelemetry } from '#lib/telemetry'

/** Telemetry whose spans stay in memory, for one test: `await using seen = await collectSpans()`. */
export async function collectSpans(service = 'test'): Promise<AsyncDisposable & { spans(): ReadableSpan[] }> {
  const exporter = new InMemorySpanExporter()
  const telemetry = await openTelemetry({ service, exporter })
  return {
    spans: () => exporter.getFinishedSpans(),
    [Symbol.asyncDispose]: () => telemetry[Symbol.asyncDispose](),
  }
}

/** Everything a span says, as text to search in. */
export function textOf(spans: ReadableSpan[]): string {
  return JSON.stringify(
    spans.map(({ name, attributes, events, status, links, resource }) => ({
      name,
      attributes,
      events,
      status,
      links,
      resource: resource.attributes,
    })),
  )
}
