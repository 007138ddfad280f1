import { setTimeout as delay } from 'node:timers/promises'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  NoopSpanProcessor,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { type Log, messageOf, readCredential } from '#lib/runtime'
import { attribute } from './attributes.ts'
import { setSink } from './record.ts'

/** How a process sends its spans. */
export interface TelemetryOptions {
  /** Becomes `service.name`. */
  service: string
  /** Becomes `deployment.environment.name`. */
  environment?: string | undefined
  /** OTLP/HTTP base URL: spans are posted to `<endpoint>/v1/traces`. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`, and without it spans are dropped. */
  endpoint?: string | undefined
  /** Bearer token for `endpoint`. Headers for `OTEL_EXPORTER_OTLP_ENDPOINT` come from `OTEL_EXPORTER_OTLP_HEADERS`. */
  token?: string | undefined
  /** The file with that token; read when `token` is absent. */
  tokenFile?: string | undefined
  /** Told, at most once a minute, that spans could not be sent. */
  log?: Log
  /** Gets every span at once, in place of the receiver. For tests. */
  exporter?: SpanExporter
}

/** A batch leaves after this delay: a trace is complete to look at soon after its request. */
const BATCH_DELAY_MS = 300
const EXPORT_TIMEOUT_MS = 3000
/** The end of a process waits no longer than this for its last spans. */
const FLUSH_TIMEOUT_MS = 2000
const WARN_EVERY_MS = 60_000
let open = false

/**
 * Starts the process's span pipeline and makes it global: tracer, context manager, W3C propagator. Disposing flushes, for 2 s at most.
 * Every span is recorded, also under an unsampled parent: whoever may enqueue must not be able to hide an attempt. Sample at the collector.
 * @throws Error when one is open already: the globals of OpenTelemetry are one per process; ConfigError naming a `tokenFile` that cannot be read
 */
export async function openTelemetry(options: TelemetryOptions): Promise<AsyncDisposable> {
  if (open) throw new Error('telemetry is open already in this process')
  const resource = resourceFromAttributes({
    [attribute.serviceName]: options.service,
    'service.instance.id': String(process.pid),
    ...(options.environment && { [attribute.environment]: options.environment }),
  })
  const processor = processorFor(options)
  const provider = new TracerProvider({
    resource,
    sampler: new AlwaysOnSampler(),
    spanProcessors: [processor],
    spanLimits: { attributeValueLengthLimit: 4096, attributeCountLimit: 64, eventCountLimit: 16 },
  })
  open = true
  if (options.log) warnThrough(options.log)
  trace.setGlobalTracerProvider(provider)
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  setSink({ processor, resource })
  return { [Symbol.asyncDispose]: () => close(provider) }
}

function processorFor(options: TelemetryOptions): SpanProcessor {
  const { endpoint, exporter, tokenFile } = options
  if (exporter) return new SimpleSpanProcessor({ exporter })
  if (!endpoint && !standardEndpoint()) return new NoopSpanProcessor()
  const token = options.token ?? (tokenFile && readCredential(tokenFile))
  const explicit = endpoint && {
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: token ? { authorization: `Bearer ${token}` } : {},
  }
  const otlp = new OTLPTraceExporter({ ...explicit, timeoutMillis: EXPORT_TIMEOUT_MS })
  return new BatchSpanProcessor({
    exporter: otlp,
    scheduledDelayMillis: BATCH_DELAY_MS,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
    maxQueueSize: 8192,
    maxExportBatchSize: 512,
  })
}

const standardEndpoint = () =>
  process.env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? process.env['OTEL_EXPORTER_OTLP_ENDPOINT']

async function close(provider: TracerProvider): Promise<void> {
  if (!open) return
  open = false
  const waited = new AbortController()
  const flushed = provider.shutdown().catch(() => {})
  await Promise.race([flushed, delay(FLUSH_TIMEOUT_MS, undefined, { signal: waited.signal }).catch(() => {})])
  waited.abort()
  setSink(undefined)
  trace.disable()
  context.disable()
  propagation.disable()
}

function warnThrough(log: Log): void {
  let warnedAt = -Infinity
  setGlobalErrorHandler((error) => {
    if (performance.now() - warnedAt < WARN_EVERY_MS) return
    warnedAt = performance.now()
    log.warn({ reason: messageOf(error) }, 'spans could not be sent')
  })
}
