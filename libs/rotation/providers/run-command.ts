import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { ProviderFailedError } from '../errors.ts'

const ANSWER_LIMIT_BYTES = 65_536

/** Whom a command runs as. */
export interface CommandUser {
  uid: number
  gid: number
}

/** One run of a command. */
export interface CommandRun {
  /** Absolute path of the executable. */
  file: string
  /** Default: the rotator's own. */
  user?: CommandUser | undefined
  /** What is asked of it, for errors. */
  call: string
  input: object
  signal: AbortSignal
}

/**
 * Runs an executable for one call: JSON to its stdin, and what it wrote to stdout.
 * R1: no shell, no argument, an empty environment, no descriptor beside stdin and stdout: stderr is dropped, since what a
 *     failing command writes there may hold a value.
 * R2: whatever is in its process group is killed when the signal aborts, when it writes too much, and when it has ended.
 * @throws ProviderFailedError, which holds nothing of what it read or wrote
 */
export async function runCommand({ file, user, call, input, signal }: CommandRun): Promise<string> {
  signal.throwIfAborted()
  const child = spawn(file, [], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    ...user,
  })
  const cut = () => {
    killGroup(child)
    child.stdout.destroy()
  }
  signal.addEventListener('abort', cut, { once: true })
  child.once('exit', () => killGroup(child))
  child.stdin.on('error', () => {}) // it may end without having read
  child.stdin.end(JSON.stringify(input))
  try {
    const [text, end] = await Promise.all([readAll(child.stdout, call), endOf(child)])
    if (end === undefined) return text
    throw new ProviderFailedError(call, `the command ${end}`)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof ProviderFailedError
      ? error
      : new ProviderFailedError(call, 'its answer was cut off')
  } finally {
    signal.removeEventListener('abort', cut)
    cut()
  }
}

async function readAll(stdout: Readable, call: string): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of stdout as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > ANSWER_LIMIT_BYTES)
      throw new ProviderFailedError(call, `the command answers more than ${ANSWER_LIMIT_BYTES} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

/** How it ended, in words; undefined: well. */
async function endOf(child: ChildProcess): Promise<string | undefined> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    if (code === 0) return undefined
    return signal ? `was ended by ${signal}` : `ended with exit code ${code}`
  } catch (error) {
    return `cannot be run: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody is left in it
  }
}
