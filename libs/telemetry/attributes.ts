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
  contextId: 'threadbound.context.id',
  contextLevel: 'threadbound.context.level',
  contextReuse: 'threadbound.context.reuse',
  /** Milliseconds from enqueue to the attempt's start. */
  queueWaitMs: 'threadbound.queue.wait_ms',
  peakBytes: 'threadbound.context.peak_bytes',
  secretName: 'threadbound.secret.name',
  secretGeneration: 'threadbound.secret.generation',
  secretCached: 'threadbound.secret.cached',
  /** True where Vault could not be asked and the last value was served. */
  secretStale: 'threadbound.secret.stale',
  leaseTtlMs: 'threadbound.lease.ttl_ms',
  revokedLeases: 'threadbound.revoked_leases',
} as const
