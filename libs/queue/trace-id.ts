import { traceparentOfMetadata } from '#lib/telemetry'

interface Sent {
  opts?: { telemetry?: { metadata?: string } }
}

/** The trace id under which a job was sent: of the `send` span that enqueued it. */
export function traceIdOf(job: Sent): string | undefined {
  return traceparentOfMetadata(job.opts?.telemetry?.metadata)?.slice(3, 35)
}
