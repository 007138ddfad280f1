import { messageOf, PermanentError } from '#lib/runtime'

/** The handler cannot be loaded. Names its file, which the context that tried does not know. */
export class HandlerError extends PermanentError {
  override readonly name = 'HandlerError'
  constructor(agentType: string, file: string, cause: unknown) {
    super(`agent type "${agentType}", ${file}: ${messageOf(cause)}`, { cause })
  }
}
