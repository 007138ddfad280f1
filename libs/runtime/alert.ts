import * as z from 'zod'

/** How much an operator should mind. `info`: nothing to do; `warning`: look when there is time; `critical`: look now. */
export const Severity = z.enum(['info', 'warning', 'critical'])

/** Something that an operator is told. Whoever delivers alerts (a log, a page, a webhook) takes this and nothing else. */
export const Alert = z.strictObject({
  /** What happened, a stable word for programs: `agent-load-failed`. */
  name: z
    .string()
    .max(64)
    .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, 'expected words in kebab-case'),
  severity: Severity,
  /** The facts, `agent-type` first of all, or `service`; never a secret. */
  labels: z.record(z.string().max(64), z.string().max(1000)),
  /** Milliseconds since the epoch. */
  at: z.int().nonnegative(),
  /** The trace in which it was seen; null outside of any. */
  trace: z
    .string()
    .regex(/^[0-9a-f]{32}$/, 'expected 32 hex digits')
    .nullable(),
})
export type Alert = z.infer<typeof Alert>
