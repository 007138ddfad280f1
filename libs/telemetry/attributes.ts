/**
 * Every attribute name that a span of ours carries, in one place, since messaging and gen_ai are not stable yet.
 * Sources: OpenTelemetry semantic conventions 1.45 and semantic-conventions-genai; `threadbound.*` is our own.
 */
export const attribute = {
  serviceName: 'service.name',
  environment: 'deployment.environment.name',
  errorType: 'error.type',

  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  urlPath: 'url.path',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  dbSystem: 'db.system.name',
  dbNamespace: 'db.namespace',

  messagingSystem: 'messaging.system.name',
  messagingOperation: 'messaging.operation.name',
  messagingOperationType: 'messaging.operation.type',
  messagingDestination: 'messaging.destination.name',
  messagingMessageId: 'messaging.message.id',
  messagingBatchCount: 'messaging.batch.message_count',

  genAiOperation: 'gen_ai.operation.name',
  genAiProvider: 'gen_ai.provider.name',
  genAiAgentName: 'gen_ai.agent.name',
  genAiRequestModel: 'gen_ai.request.model',
  genAiResponseModel: 'gen_ai.response.model',
  genAiFinishReasons: 'gen_ai.response.finish_reasons',
  genAiInputTokens: 'gen_ai.usage.input_tokens',
  genAiOutputTokens: 'gen_ai.usage.output_tokens',

  /** True on what a context said of itself; absent on what our own processes measured. */
  claim: 'threadbound.claim',
  requestId: 'threadbound.request.id',
  agentType: 'threadbound.agent.type',
  tenant: 'threadbound.tenant',
  caller: 'threadbound.caller',
  /** From 1. */
  attempt: 'threadbound.attempt',
  outcome: 'threadbound.outcome',
  /** Secrets that were masked in what the attempt said. */
  redactions: 'threadbound.redactions',
  /** From here on: the receipt, what launcher, kernel and worker measured of the attempt's context. */
  contextId: 'threadbound.context.id',
  contextLevel: 'threadbound.context.level',
  /** Attempts that were in the context before: 0. */
  contextReuse: 'threadbound.context.reuse',
  contextPid: 'threadbound.context.pid',
  /** Outside of any user namespace. */
  contextUid: 'threadbound.context.uid',
  /** What ended the context: `released`, `timeout`, `out-of-memory`, … */
  contextEndedBy: 'threadbound.context.ended_by',
  contextExitCode: 'threadbound.context.exit_code',
  contextSignal: 'threadbound.context.signal',
  /** Highest memory above the empty context, bytes. */
  peakBytes: 'threadbound.context.peak_bytes',
  /** What of the peak lay above the limit, bytes. */
  overshootBytes: 'threadbound.context.overshoot_bytes',
  /** Processor time of the context and all that it started, milliseconds. */
  cpuMs: 'threadbound.context.cpu_ms',
  /** Milliseconds since the epoch, as are the next three. */
  contextStartedAt: 'threadbound.context.started_at',
  contextReadyAt: 'threadbound.context.ready_at',
  contextAcquiredAt: 'threadbound.context.acquired_at',
  contextEndedAt: 'threadbound.context.ended_at',
  /** Processes that outlived the kill: 0. */
  leftOverProcesses: 'threadbound.context.left_over.processes',
  /** System V objects that outlived it: 0. */
  leftOverIpcObjects: 'threadbound.context.left_over.ipc_objects',
  /** One attribute for each limit, `<value> <mechanism>`: `…limit.memoryBytes` is `50000000 cgroup-v2`. */
  contextLimit: 'threadbound.context.limit',
  /** Milliseconds from enqueue to the attempt's start. */
  queueWaitMs: 'threadbound.queue.wait_ms',
  secretName: 'threadbound.secret.name',
  secretGeneration: 'threadbound.secret.generation',
  secretCached: 'threadbound.secret.cached',
  /** True where Vault could not be asked and the last value was served. */
  secretStale: 'threadbound.secret.stale',
  leaseTtlMs: 'threadbound.lease.ttl_ms',
  revokedLeases: 'threadbound.revoked_leases',
} as const
