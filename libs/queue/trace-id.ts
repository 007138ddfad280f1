import { traceparentOfMetadata } from '#lib/telemetry'

interface Sent {
  opts?: { telemetry?: { metadata?: string } }
}

/** The traceparent under which a job was sent: of the `send` span that enqueued it. */
export function traceparentOfJob(job: Sent): string | undefined {
  return traceparentOfMetadata(job.opts?.telemetry?.metadata)
}

/** The trace id under which a job was sent. */
export function traceIdOf(job: Sent): string | undefined {
  return traceparentOfJob(job)?.slice(3, 35)
}
