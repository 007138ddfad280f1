import { PermanentError } from '#lib/runtime'

/** A command cannot do what it was asked; its message says why and what to do. The command exits with `exitCode`. */
export class CommandError extends PermanentError {
  override readonly name = 'CommandError'
  readonly exitCode: number
  /** What a service answered, where one refused. */
  readonly status: number | undefined
  constructor(message: string, options: ErrorOptions & { exitCode?: number; status?: number } = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
    this.status = options.status
  }
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, { exitCode: 2 })
  }
}
