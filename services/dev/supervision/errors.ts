import { PermanentError } from '#lib/runtime'

/** A service did not get ready. Says which, why, and what it last wrote. */
export class ServiceNotReadyError extends PermanentError {
  override readonly name = 'ServiceNotReadyError'
  constructor(service: string, reason: string, output: { file: string; lines: string[] }) {
    const said = output.lines.length > 0 ? `\n${output.lines.map((line) => `  | ${line}`).join('\n')}` : ''
    super(`${service} did not start: ${reason} (log: ${output.file})${said}`)
  }
}

/** The supervisor is stopping, so nothing can be started any more. */
export class StoppingError extends PermanentError {
  override readonly name = 'StoppingError'
  constructor(service: string) {
    super(`${service} was not started: the supervisor is stopping`)
  }
}
