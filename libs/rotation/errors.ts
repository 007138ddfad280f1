import { PermanentError } from '#lib/runtime'

/** The provider says that the key is not valid: not yet, or not any more. */
export class KeyRefusedError extends Error {
  override readonly name = 'KeyRefusedError'
  constructor(what: string, options?: ErrorOptions) {
    super(`${what} is refused`, options)
  }
}

/** The provider has no call that makes keys: an operator supplies the next one. */
export class KeyAwaitedError extends PermanentError {
  override readonly name = 'KeyAwaitedError'
  constructor(secret: string) {
    super(`secret "${secret}": its provider makes no keys by itself; supply one`)
  }
}

/** Another rotator took the record over, or an operator wrote to it: whoever holds it goes on. */
export class FencedError extends Error {
  override readonly name = 'FencedError'
  constructor(secret: string) {
    super(`the rotation of "${secret}" was taken over`)
  }
}

/** A record that is not one of this version. */
export class RecordMalformedError extends PermanentError {
  override readonly name = 'RecordMalformedError'
  constructor(secret: string, field: string) {
    super(`the rotation record of "${secret}" has an unexpected ${field || 'form'}`)
  }
}

/** A step did not succeed. The message says which, of which provider, and the cause why. */
export class ProviderFailedError extends Error {
  override readonly name = 'ProviderFailedError'
  constructor(step: string, why: string, options?: ErrorOptions) {
    super(`${step}: ${why}`, options)
  }
}

/** Something else was made live while the new key was on its way: that one stays. */
export class ReplacedError extends Error {
  override readonly name = 'ReplacedError'
  constructor(secret: string) {
    super(`"${secret}" was written or deleted by someone else in the meantime`)
  }
}
