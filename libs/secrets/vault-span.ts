import { type Span, SpanKind } from '@opentelemetry/api'
import { inSpan, type SpanAttributes } from '#lib/telemetry'

/** Runs work that asks Vault, or its cache, inside a client span below the active one. */
export function inVaultSpan<T>(
  name: string,
  attributes: SpanAttributes,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  return inSpan(name, { kind: SpanKind.CLIENT, attributes }, work)
}
