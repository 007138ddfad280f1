import { PermanentError } from '#lib/runtime'
import type { Level, WireError } from '#lib/wire'

/** The agent's code cannot be bundled. `problems` name file and line. */
export class AgentBuildError extends PermanentError {
  override readonly name = 'AgentBuildError'
  readonly problems: string[]
  constructor(problems: string[]) {
    super(`agent cannot be built: ${problems.join('; ')}`)
    this.problems = problems
  }
}

/** The agent's module failed while a spare loaded it, so that no context of it can exist. Another start may succeed. */
export class AgentLoadError extends Error {
  override readonly name = 'AgentLoadError'
  readonly type: string
  constructor(error: WireError) {
    super(`agent failed to load: ${error.type}: ${error.message}`)
    this.type = error.type
    if (error.stack) this.stack = error.stack
  }
}

/** A context could not be started, or ended before it was ready. */
export class ContextStartError extends Error {
  override readonly name = 'ContextStartError'
  constructor(why: string) {
    super(`context cannot be started: ${why}`)
  }
}

/** This host cannot give the level. The message names what is missing and how to get it. */
export class LevelUnavailableError extends PermanentError {
  override readonly name = 'LevelUnavailableError'
  readonly level: Level
  constructor(level: Level, why: string) {
    super(`isolation level "${level}" is not available: ${why}`)
    this.level = level
  }
}

/** A context said something that the protocol does not allow there. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation'
}

/** A context said more than one may. */
export class OutputLimitError extends Error {
  override readonly name = 'OutputLimitError'
  constructor(limitBytes: number) {
    super(
      `more than ${limitBytes} bytes of result, log lines, progress, emitted values, spans and console together`,
    )
  }
}

/** An attempt has called other agents as often as it may. */
export class CallLimitError extends Error {
  override readonly name = 'CallLimitError'
  readonly type = 'attempt-limit'
  constructor(limit: number) {
    super(`an attempt may call other agents ${limit} times`)
  }
}

/** The launcher has ended; its worker ends too, and the supervisor starts both anew. */
export class LauncherGoneError extends Error {
  override readonly name = 'LauncherGoneError'
  constructor(why = 'the launcher has ended') {
    super(why)
  }
}
