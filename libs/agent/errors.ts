/** An agent that was called did not complete. `type` is its outcome, or the finer type of its failure. */
export class AgentCallError extends Error {
  override readonly name = 'AgentCallError'
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

/** The broker refused or could not do what was asked. `type` is stable: `denied`, `upstream`, `too-many-connections`, … */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

/** Thrown by agent code to end the request at once: no further attempt is made. `type` is the caller's to read. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly type: string
  readonly permanent = true
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}
