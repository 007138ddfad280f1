import { parseArgs } from 'node:util'
import * as z from 'zod'
import { Level, PermanentError } from '#lib/runtime'

/** What `up` is told on its command line. */
export interface UpOptions {
  /** The cluster file. */
  cluster: string
  /** The data directory. */
  data: string
  /** The producer's port; the console takes the next one. 0: any free ones. */
  port: number
  /** In place of every agent type's own level. */
  isolation?: Level | undefined
  /** Print the ready line as JSON on stdout. */
  json: boolean
  /** The mount namespace that the command was called in, when it has left that for one of its own. */
  hostMounts?: string | undefined
}

const PORT = 'expected a number from 0 to 65534'
const Options = z.object({
  cluster: z.string(),
  data: z.string(),
  port: z
    .string()
    .regex(/^\d{1,5}$/, PORT)
    .transform(Number)
    .refine((port) => port <= 65_534, PORT),
  isolation: Level.optional(),
  json: z.boolean().default(false),
  'host-mounts': z.string().optional(),
})

/** An option of `up` is missing or wrong. */
export class UpOptionsError extends PermanentError {
  override readonly name = 'UpOptionsError'
  constructor(error: z.ZodError) {
    super(error.issues.map((issue) => `--${issue.path.join('.')}: ${issue.message}`).join('; '))
  }
}

/** Reads the options that the command hands on. @throws UpOptionsError, or parseArgs' own error for an unknown one */
export function readUpOptions(args: string[]): UpOptions {
  const text = { type: 'string' } as const
  const options = {
    cluster: text,
    data: text,
    port: text,
    isolation: text,
    json: { type: 'boolean' },
    'host-mounts': text,
  } as const
  const parsed = Options.safeParse(parseArgs({ args, options, strict: true }).values)
  if (!parsed.success) throw new UpOptionsError(parsed.error)
  const { 'host-mounts': hostMounts, ...rest } = parsed.data
  return { ...rest, hostMounts }
}
