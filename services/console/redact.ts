import { Outcome } from '#lib/queue'

/**
 * What of Bull Board's answers may be seen. Everything else is left out: a field that a later version adds stays hidden until it has a rule.
 *
 * - `show` passes a scalar that our own code or BullMQ wrote.
 * - `figure` passes a number or a boolean, and nothing that whoever enqueued may have put in its place.
 * - `agent-type` passes one of the cluster's names; a plain producer may name its jobs as it likes.
 * - `shape` says what kind of value it is and how large, never a value and never a key.
 * - `failure` passes the type of a failure where it is one of ours, never the message.
 * - `link` passes an http or https address.
 */
type Rule =
  | 'show'
  | 'figure'
  | 'agent-type'
  | 'shape'
  | 'failure'
  | 'link'
  | Rule[]
  | { [field: string]: Rule }

const job: Rule = {
  id: 'show',
  name: 'agent-type',
  timestamp: 'figure',
  processedOn: 'figure',
  finishedOn: 'figure',
  progress: 'shape',
  attempts: 'figure',
  attemptsStarted: 'figure',
  stalledCounter: 'figure',
  priority: 'figure',
  delay: 'figure',
  isFailed: 'figure',
  failedReason: 'failure',
  stacktrace: ['shape'],
  data: {
    v: 'figure',
    input: 'shape',
    metadata: 'shape',
    tenant: 'shape',
    caller: 'shape',
    chain: 'shape',
    createdAt: 'figure',
    expiresAt: 'figure',
  },
  returnValue: 'shape',
  opts: { attempts: 'figure', delay: 'figure', priority: 'figure' },
  externalUrl: { href: 'link', displayText: 'show' },
}
const count: Rule = { '*': 'figure' }
const queue: Rule = {
  name: 'show',
  displayName: 'show',
  description: 'show',
  delimiter: 'show',
  type: 'show',
  statuses: ['show'],
  counts: count,
  pagination: { pageCount: 'figure', range: { start: 'figure', end: 'figure' } },
  readOnlyMode: 'figure',
  allowRetries: 'figure',
  allowCompletedRetries: 'figure',
  isPaused: 'figure',
  globalConcurrency: 'figure',
  activeRateLimitTtl: 'figure',
  supportsGlobalRateLimit: 'figure',
  jobSchedulerCount: 'figure',
  hasWorkers: 'figure',
  jobs: [job],
}
const scheduler: Rule = {
  id: 'show',
  queueName: 'show',
  name: 'agent-type',
  pattern: 'show',
  every: 'figure',
  next: 'figure',
  lastRun: 'figure',
  iterationCount: 'figure',
}
const metrics: Rule = { meta: count, data: ['figure'], count: 'figure' }

/** The routes that may be asked, by Bull Board's own names, and what their answers show. All others are refused. */
const RULES: Record<string, Rule> = {
  '/api/queues': { queues: [queue] },
  '/api/queues/:queueName/:jobId': { job, status: 'show' },
  '/api/queues/:queueName/:jobId/logs': ['shape'],
  '/api/queues/:queueName/:jobId/flow': { nodeId: 'show', isFlowNode: 'figure' },
  '/api/queues/:queueName/metrics': { completed: metrics, failed: metrics },
  '/api/queues/:queueName/rate-limit': {
    supported: 'figure',
    rateLimit: { max: 'figure', duration: 'figure' },
  },
  '/api/job-schedulers': { schedulers: [scheduler] },
}
const ERROR: Rule = { error: { key: 'show' } }
const FAILURES = new Set<string>([
  ...Outcome.options,
  'invalid-job',
  'unsigned',
  'forged',
  'expired',
  'invalid-input',
  'invalid-output',
])

/** True when the console has a rule for what a route answers. */
export function isKnownRoute(route: string): boolean {
  return Object.hasOwn(RULES, route)
}

/** One answer of Bull Board. */
export interface Answer {
  route: string
  status: number
  body: unknown
}

/** What may be seen of an answer. */
export function redact({ route, status, body }: Answer, agentTypes: ReadonlySet<string>): unknown {
  if (status >= 400 || !isKnownRoute(route)) return apply(ERROR, body, agentTypes)
  const seen = apply(RULES[route]!, body, agentTypes)
  return route.endsWith('/flow') ? { ...(seen as object), flowRoot: null } : seen
}

function apply(rule: Rule, value: unknown, agentTypes: ReadonlySet<string>): unknown {
  if (value === null || value === undefined) return value
  if (typeof rule === 'string') return isHarmless(rule, value, agentTypes) ? value : hidden(rule, value)
  if (Array.isArray(rule))
    return Array.isArray(value) ? value.map((item) => apply(rule[0]!, item, agentTypes)) : shapeOf(value)
  if (typeof value !== 'object' || Array.isArray(value)) return shapeOf(value)
  const kept = Object.entries(value).flatMap(([field, inner]) => {
    const its = Object.hasOwn(rule, field) ? rule[field] : rule['*']
    return its === undefined ? [] : [[field, apply(its, inner, agentTypes)]]
  })
  return Object.fromEntries(kept) as object
}

function isHarmless(rule: string, value: unknown, agentTypes: ReadonlySet<string>): boolean {
  if (rule === 'show') return typeof value !== 'object'
  if (rule === 'figure') return typeof value === 'number' || typeof value === 'boolean'
  if (rule === 'agent-type') return typeof value === 'string' && agentTypes.has(value)
  return rule === 'link' && typeof value === 'string' && /^https?:\/\//.test(value)
}

/** In place of a value: its kind and size. A failure keeps its type. */
function hidden(rule: string, value: unknown): string | undefined {
  if (rule === 'link') return undefined
  const type = rule === 'failure' && typeof value === 'string' ? value.split(':', 1)[0]! : ''
  return FAILURES.has(type) ? `${type}: ${shapeOf(value)}` : shapeOf(value)
}

function shapeOf(value: unknown): string {
  if (value === null || value === undefined) return 'hidden: nothing'
  const bytes = `${Buffer.byteLength(JSON.stringify(value) ?? '')} bytes`
  if (Array.isArray(value)) return `hidden: list of ${value.length}, ${bytes}`
  if (typeof value === 'object') return `hidden: object with ${Object.keys(value).length} keys, ${bytes}`
  return `hidden: ${typeof value}, ${bytes}`
}
