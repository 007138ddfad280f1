import { PermanentError } from '#lib/runtime'

/** A command cannot do what it was asked; its message says why and what to do. The command exits with `exitCode`. */
export class CommandError extends PermanentError {
  override readonly name = 'CommandError'
  readonly exitCode: number
  constructor(message: string, { exitCode = 1, ...options }: ErrorOptions & { exitCode?: number } = {}) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, { exitCode: 2 })
  }
}
