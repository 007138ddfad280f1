import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../services/cli/threadbound.mjs', import.meta.url))

/** What a run of the command gave. */
export interface CliRun {
  code: number | null
  stdout: string
  stderr: string
}

/** Runs `threadbound` as a shell would. `node`: the Node on the PATH, any version. */
export async function runCli(
  args: string[],
  options: { cwd?: string; stdin?: string; node?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CliRun> {
  const child = spawn(options.node ?? process.execPath, [COMMAND, ...args], {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
  })
  child.stdin.end(options.stdin ?? '')
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code: code as number | null, stdout, stderr }
}
