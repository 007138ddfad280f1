import * as z from 'zod'
import { KeyRefusedError, ProviderFailedError } from '../errors.ts'
import type { LastUse, RotationProvider } from '../provider.ts'
import { type CommandUser, runCommand } from './run-command.ts'

/** What a command may answer beside `create`, `verify`, `revoke` and `find-orphans`; `disable` stands for `enable` too. */
export const OPTIONAL_CALLS = ['last-used', 'disable', 'identify'] as const
export type OptionalCall = (typeof OPTIONAL_CALLS)[number]

export interface CommandOptions {
  /** Absolute path of the executable. */
  file: string
  /** Whom it runs as; needed where the rotator is root. Default: the rotator's own user. */
  user?: CommandUser | undefined
  /** Default: none. */
  also?: readonly OptionalCall[] | undefined
  /** What it administers keys with, read anew for each call; it finds it as `admin`. Default: nothing. */
  admin?: (() => Promise<string>) | undefined
}

type Asked = { call: string } & Record<string, string | null>

const Id = z.string().min(1).max(200)
const Made = z.object({ id: Id, value: z.string().min(1) })
const Used = z.object({ at: z.iso.datetime({ offset: true }).nullable(), by: z.string().max(200).optional() })
const Listed = z.object({ keys: z.array(z.object({ id: Id, name: z.string() })) })
const Known = z.object({ id: Id.nullable() })
const Done = z.object({})
/** A word, so that no value gets into a log by way of an explanation. */
const Failed = z.object({ error: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/) })

/**
 * Keys of any service, through an executable of the operator's: it is run once per call, with one JSON object on stdin and
 * one on stdout. README.md documents the contract.
 * @throws TypeError where it would run as root
 */
export function commandProvider(options: CommandOptions): RotationProvider {
  if (process.getuid?.() === 0 && !options.user?.uid)
    throw new TypeError(`command ${options.file}: expected a user of its own, as the rotator is root`)
  const { also = [] } = options
  const ask = <T>(asked: Asked, answer: z.ZodType<T>, signal: AbortSignal) =>
    askCommand(options, { asked, answer, signal })
  const tell = (call: string) => async (id: string, signal: AbortSignal) =>
    void (await ask({ call, id }, Done, signal))
  return {
    account: `command${options.file}`,
    endsKeys: true,
    create: ({ name, oldKeyId, signal }) => ask({ call: 'create', name, 'old-id': oldKeyId }, Made, signal),
    async verify({ id, value }, signal) {
      await ask({ call: 'verify', id, value }, Done, signal)
    },
    revoke: tell('revoke'),
    async findOrphans(prefix, signal) {
      const { keys } = await ask({ call: 'find-orphans', prefix }, Listed, signal)
      return keys.filter(({ name }) => name.startsWith(prefix))
    },
    ...(also.includes('disable') && { disable: tell('disable'), enable: tell('enable') }),
    ...(also.includes('last-used') && {
      lastUsed: async (id, signal) => lastUse(await ask({ call: 'last-used', id }, Used, signal)),
    }),
    ...(also.includes('identify') && {
      identify: async (value, signal) =>
        (await ask({ call: 'identify', value }, Known, signal)).id ?? undefined,
    }),
  }
}

interface Question<T> {
  asked: Asked
  answer: z.ZodType<T>
  signal: AbortSignal
}

async function askCommand<T>(
  { file, user, admin }: CommandOptions,
  { asked, answer, signal }: Question<T>,
): Promise<T> {
  const { call } = asked
  const input = { ...asked, ...(admin && { admin: await admin() }) }
  const said = parse(await runCommand({ file, user, call, input, signal }))
  const failed = Failed.safeParse(said).data?.error
  if (failed === 'refused' && call === 'verify') throw new KeyRefusedError('the key that the command tried')
  if (failed !== undefined) throw new ProviderFailedError(call, `the command answers "${failed}"`)
  const parsed = answer.safeParse(said)
  if (parsed.success && !Object.hasOwn(said as object, 'error')) return parsed.data
  const where = parsed.success ? 'error' : parsed.error.issues[0]!.path.join('.')
  throw new ProviderFailedError(call, `the command's answer is unexpected at ${where || 'its root'}`)
}

const lastUse = ({ at, by }: z.infer<typeof Used>): LastUse => ({
  at: at === null ? null : Date.parse(at),
  ...(by !== undefined && { by }),
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
