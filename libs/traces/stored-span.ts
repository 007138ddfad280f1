/** A JSON value of an attribute. Bytes are base64 text; numbers that JSON cannot hold are text. */
export type AttributeValue =
  | null
  | boolean
  | number
  | string
  | AttributeValue[]
  | { [key: string]: AttributeValue }

/** A span as the store keeps it. Times: milliseconds since the epoch, with fractions. */
export interface StoredSpan {
  /** 32 hex digits. */
  traceId: string
  /** 16 hex digits. */
  spanId: string
  parentSpanId?: string
  name: string
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** `service.name` of the sender; `unknown` without one. */
  service: string
  startMs: number
  endMs: number
  status: 'unset' | 'ok' | 'error'
  statusMessage?: string
  attributes: Record<string, AttributeValue>
  links: SpanLink[]
  events: SpanEvent[]
}

/** Another span that this one belongs to without being its child. */
export interface SpanLink {
  traceId: string
  spanId: string
}

/** Something that happened at one moment of a span. */
export interface SpanEvent {
  name: string
  atMs: number
  attributes: Record<string, AttributeValue>
}
