/** The trace id of a job: from the W3C traceparent that BullMQ's telemetry stores with it. */
export function traceIdOf(job: { opts?: { telemetry?: { metadata?: string } } }): string | undefined {
  return traceparentOfJob(job)?.slice(3, 35)
}

/** The traceparent under which a job was sent. */
export function traceparentOfJob(job: { opts?: { telemetry?: { metadata?: string } } }): string | undefined {
  return /\b00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\b/.exec(
    job.opts?.telemetry?.metadata ?? '',
  )?.[0]
}
