import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { SETPRIV } from '#lib/context'

/** What a service announced when it was ready: `url`, for example. */
export type Facts = Record<string, unknown>

/** A user, and the groups that it is in beside its own. */
export interface RunAs {
  uid: number
  gid: number
  groups?: number[]
}

/** One start of a program: everything that may differ from one start to the next. */
export interface Launch {
  /** Absolute path, because the environment has no PATH. */
  command: string
  args: string[]
  /** The whole environment. */
  env: Record<string, string>
  /** Whom it runs as; the supervisor's own user when absent. */
  user?: RunAs | undefined
  /** Descriptors that become 3 and up in place of the readiness pipe. The launch closes none of them. */
  descriptors?: number[] | undefined
}

/** A started program: the leader of its own process group. */
export interface Launched {
  pid: number
  /** Resolves when the program announces on descriptor 3 that it is ready. Never rejects. */
  announced: Promise<Facts>
  /** Resolves when it is gone, with the words for how. Never rejects. */
  exited: Promise<string>
}

/**
 * Starts a program detached, in a session and process group of its own: a terminal's Ctrl-C does not reach it.
 * Descriptor 3 is a pipe to the supervisor unless `descriptors` are given; its end tells a service that the supervisor is gone.
 */
export function launch(what: Launch, logFd: number): Launched {
  const [command, ...args] = [...(what.user ? becoming(what.user) : []), what.command, ...what.args]
  const child = spawn(command!, args, {
    cwd: '/',
    env: what.env,
    detached: true,
    stdio: ['ignore', logFd, logFd, ...(what.descriptors ?? (['pipe'] as const))],
  })
  const exited = untilExit(child)
  if (child.pid === undefined) return { pid: 0, announced: Promise.withResolvers<Facts>().promise, exited }
  return { pid: child.pid, announced: untilAnnounced(child.stdio[3]), exited }
}

/** For good: no capability, none to be gained by what it runs. */
function becoming({ uid, gid, groups = [] }: RunAs): string[] {
  const inGroups = groups.length > 0 ? `--groups=${groups.join(',')}` : '--clear-groups'
  const forGood = ['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all']
  return [SETPRIV, `--reuid=${uid}`, `--regid=${gid}`, inGroups, ...forGood]
}

async function untilExit(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    return signal ? `ended by ${signal}` : `ended with exit code ${code}`
  } catch (error) {
    return `cannot be run: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`
  }
}

/** The pipe stays open, and is read to its end, for as long as the service lives. */
function untilAnnounced(pipe: unknown): Promise<Facts> {
  const { promise, resolve } = Promise.withResolvers<Facts>()
  if (!pipe) return promise
  const input = (pipe as Readable).on('error', () => {})
  createInterface({ input }).on('line', (line) => {
    const facts = parseFacts(line)
    if (facts) resolve(facts)
  })
  return promise
}

function parseFacts(line: string): Facts | undefined {
  try {
    const { ready, ...facts } = JSON.parse(line) as Facts
    return ready === true ? facts : undefined
  } catch {
    return undefined
  }
}
