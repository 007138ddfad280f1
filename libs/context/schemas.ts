import * as z from 'zod'
import { Level } from '#lib/runtime'
import type {
  EndedBy,
  FromContext,
  FromHost,
  FromLauncher,
  HeldLimits,
  LauncherConfig,
  LimitInForce,
  Receipt,
  ToLauncher,
} from '#lib/wire'

/** What each message must look like. A context's are judged by its worker, so that a context loads no schema. */

const text = (max: number) => z.string().max(max)
const WireErrorSchema = z.object({
  type: z.string().regex(/^[\w.:/-]{1,200}$/),
  message: text(20_000),
  stack: text(100_000).exactOptional(),
})
const attributes = z.record(text(200), z.union([text(20_000), z.number(), z.boolean()]))
/** All zeros is no span id: W3C would read a traceparent with it as none. */
const spanId = z.string().regex(/^(?!0{16})[0-9a-f]{16}$/)
const span = z.object({
  name: text(500),
  spanId: z.string().regex(/^[0-9a-f]{16}$/),
  parentSpanId: z.string().regex(/^[0-9a-f]{16}$/),
  startMs: z.number(),
  endMs: z.number(),
  attributes,
  error: text(20_000).exactOptional(),
})
/** It came out of `JSON.parse`: walking it again to see that it is JSON would take the worker 0.3 s for a frame of 1 MiB. */
const json = z.unknown().refine((value) => value !== undefined)
/** JSON has no word for a function, nor for what a toJSON gives that gives nothing: they are left out. */
const valueOrNone = z.unknown().default(null)
const jsonSchema = z.record(z.string(), z.unknown())

/** Everything that a context may say, in any state. */
export const FromContextSchema: z.ZodType<FromContext> = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('hello') }),
  z.strictObject({ t: z.literal('loaded') }),
  z.strictObject({ t: z.literal('load-failed'), error: WireErrorSchema }),
  z.strictObject({ t: z.literal('code-cache'), part: text(700_000) }),
  z.strictObject({ t: z.literal('described'), input: jsonSchema.nullable(), output: jsonSchema.nullable() }),
  z.strictObject({ t: z.literal('started'), atMs: z.number() }),
  z.strictObject({
    t: z.literal('log'),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()),
    atMs: z.number(),
  }),
  z.strictObject({ t: z.literal('progress'), value: json }),
  z.strictObject({ t: z.literal('emit'), value: json }),
  z.strictObject({ t: z.literal('span'), span }),
  z.strictObject({
    t: z.literal('call'),
    id: z.int().nonnegative(),
    agentType: text(100),
    input: valueOrNone,
    spanId: spanId.exactOptional(),
  }),
  z.strictObject({ t: z.literal('result'), value: valueOrNone, memory: z.unknown().optional() }),
  z.strictObject({
    t: z.literal('failed'),
    error: WireErrorSchema,
    permanent: z.boolean().exactOptional(),
  }),
])

const memoryBy = z.enum(['cgroup-v2', 'cgroup-v1', 'rlimit-data', 'heap-limit'])
const limit = <By extends string>(...by: [By, ...By[]]): z.ZodType<LimitInForce<By>> =>
  z.strictObject({ value: z.number(), by: z.enum(by) })
const held = {
  processes: limit('cgroup-v2', 'cgroup-v1', 'rlimit-nproc').nullable(),
  openFiles: limit('rlimit-nofile').nullable(),
  diskBytes: limit('tmpfs', 'landlock', 'own-uid').nullable(),
  cpuWeight: limit('cgroup-v2', 'cgroup-v1', 'nice').nullable(),
}
const heldLimits: z.ZodType<HeldLimits> = z.strictObject({ memoryBy, ...held })
const contextId = z.string().regex(/^[a-z0-9-]{1,64}$/)
const endedBy: z.ZodType<EndedBy> = z.enum([
  'exit',
  'released',
  'timeout',
  'out-of-memory',
  'aborted',
  'protocol-violation',
  'output-limit',
  'worker-gone',
  'host-lost',
  'signal',
])
const count = z.int().nonnegative()
const DAY_MS = 86_400_000
/** A uid or gid; the highest number means nobody. */
const id = count.max(2 ** 32 - 2)

/** The launcher's fixed configuration. */
export const LauncherConfigSchema: z.ZodType<LauncherConfig> = z.strictObject({
  t: z.literal('config'),
  level: Level,
  hostUid: id.exactOptional(),
  hostGid: id.exactOptional(),
  contextSocket: text(107),
  brokerSocket: text(107).exactOptional(),
  entry: z.string().min(1),
  aliveTimeoutMs: count.max(DAY_MS),
  threads: z
    .strictObject({ hostEntry: z.string().min(1), maxContexts: z.int().min(1).max(10_000) })
    .exactOptional(),
  permissionModel: z.literal(false).exactOptional(),
})

/** What a worker may ask its launcher for. */
export const ToLauncherSchema: z.ZodType<ToLauncher> = z.discriminatedUnion('t', [
  z.strictObject({
    t: z.literal('start'),
    context: contextId,
    alone: z.literal(true).exactOptional(),
    limits: z.strictObject({
      heapMiB: z.int().min(8).max(65_536),
      outputBytes: count,
      childProcess: z.boolean(),
      worker: z.boolean(),
    }),
  }),
  z.strictObject({
    t: z.literal('acquire'),
    context: contextId,
    memoryBytes: z.int().min(2 ** 20),
    timeoutMs: z.int().min(1).max(DAY_MS),
    graceMs: count.max(60_000),
  }),
  z.strictObject({ t: z.literal('end'), context: contextId, by: endedBy }),
  z.strictObject({ t: z.literal('alive') }),
])

const receipt: z.ZodType<Receipt> = z.strictObject({
  context: contextId,
  level: Level,
  reuse: count,
  pid: z.int(),
  uid: z.int(),
  limits: z.strictObject({
    memoryBytes: z.strictObject({ value: z.number(), by: memoryBy }),
    heapBytes: limit('v8'),
    timeMs: limit('launcher'),
    outputBytes: limit('worker'),
    ...held,
  }),
  emptyBytes: z.number().nullable(),
  peakBytes: z.number().nullable(),
  overshootBytes: z.number().nullable(),
  cpuMs: z.number().nullable(),
  startedAt: z.number(),
  readyAt: z.number().nullable(),
  acquiredAt: z.number().nullable(),
  endedAt: z.number(),
  endedBy,
  exitCode: z.int().nullable(),
  signal: z.string().nullable(),
  leftOver: z.strictObject({ processes: count.nullable(), ipcObjects: count.nullable() }),
  permissionModel: z.literal(false).exactOptional(),
})

/** What a launcher tells its worker. */
export const FromLauncherSchema: z.ZodType<FromLauncher> = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('open'), level: Level, held: heldLimits }),
  z.strictObject({ t: z.literal('refused'), message: z.string() }),
  z.strictObject({ t: z.literal('started'), context: contextId, pid: z.int(), uid: z.int() }),
  z.strictObject({ t: z.literal('start-failed'), context: contextId, message: z.string() }),
  z.strictObject({ t: z.literal('acquired'), context: contextId, reuse: count }),
  z.strictObject({
    t: z.literal('output'),
    context: contextId,
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
  }),
  z.strictObject({ t: z.literal('ended'), context: contextId, receipt }),
])

/** What a thread host tells its launcher. */
export const FromHostSchema: z.ZodType<FromHost> = z.discriminatedUnion('t', [
  z.strictObject({ t: z.literal('started'), context: contextId, threadId: count }),
  z.strictObject({ t: z.literal('start-failed'), context: contextId, message: text(1000) }),
  z.strictObject({
    t: z.literal('output'),
    context: contextId,
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
  }),
  z.strictObject({ t: z.literal('over'), context: contextId }),
  z.strictObject({
    t: z.literal('ended'),
    context: contextId,
    exitCode: z.int(),
    outOfMemory: z.boolean(),
    cpuMs: z.number().nullable(),
    peakBytes: z.number().nullable(),
  }),
])
