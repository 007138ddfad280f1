import { PermanentError } from '#lib/runtime'

/** The wrapping token is not what it should be: used, expired, or made elsewhere. Someone else may hold the secret-id. */
export class SecretIdRefusedError extends PermanentError {
  override readonly name = 'SecretIdRefusedError'
  constructor(why: string) {
    super(`wrapped secret-id refused: ${why}; treat it as stolen and issue a new one`)
  }
}

/** A service's own token has ended. Only a process with a new wrapped secret-id gets another. */
export class IdentityLostError extends Error {
  override readonly name = 'IdentityLostError'
  constructor(service = 'sidecar') {
    super(`the ${service} has no valid Vault token any more; restart it with a new wrapped secret-id`)
  }
}

/** Vault says that this agent type may not read this secret. */
export class SecretDeniedError extends PermanentError {
  override readonly name = 'SecretDeniedError'
  constructor(agentType: string, secret: string) {
    super(`agent type "${agentType}" may not use secret "${secret}"`)
  }
}

/** No value lies in Vault under this name. */
export class SecretNotFoundError extends PermanentError {
  override readonly name = 'SecretNotFoundError'
  constructor(secret: string) {
    super(`secret "${secret}" has no value in Vault; create it with: threadbound secrets create ${secret}`)
  }
}

/** An operator has revoked the value that lies in Vault: nobody is given it. An attempt after the rotation gets the next. */
export class SecretRevokedError extends Error {
  override readonly name = 'SecretRevokedError'
  constructor(secret: string) {
    super(`secret "${secret}" was revoked by an operator, and there is no new value yet`)
  }
}

/** What lies in Vault is not `{value: <text>}`. */
export class SecretMalformedError extends PermanentError {
  override readonly name = 'SecretMalformedError'
  constructor(secret: string) {
    super(`secret "${secret}" in Vault: field "value" is no text, or is empty`)
  }
}

/** Vault cannot be asked now, and nothing that may still be served is cached. The next attempt asks again. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError'
  constructor(secret: string, options?: ErrorOptions) {
    super(`secret "${secret}" is not available: Vault does not answer`, options)
  }
}

/** The attempt has ended: nothing more is leased for it. */
export class LeasesEndedError extends PermanentError {
  override readonly name = 'LeasesEndedError'
  constructor(secret: string) {
    super(`lease of "${secret}" refused: the attempt has ended`)
  }
}

/** Why a grant was refused. */
export type GrantRefusal =
  | 'unknown-context' // no connection has announced this context
  | 'context-claimed' // a context serves one attempt, once
  | 'attempt-claimed' // this attempt, or a later one of the job, has had its grant
  | 'wrong-agent-type' // the context belongs to another agent type
  | 'connection-bound' // the connection has announced a context already

/** A grant, or a connection's binding, is refused for good. */
export class GrantRefusedError extends PermanentError {
  override readonly name = 'GrantRefusedError'
  readonly reason: GrantRefusal
  constructor(reason: GrantRefusal, what: string) {
    super(`grant refused (${reason}): ${what}`)
    this.reason = reason
  }
}
