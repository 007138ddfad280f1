import { PermanentError } from '#lib/runtime'

/** An answer other than success: the status and the one text in `errors`. Without a text the list is empty (404). */
export class VaultRefusal extends PermanentError {
  override readonly name = 'VaultRefusal'
  readonly status: number
  readonly text: string | undefined
  constructor(status: number, text?: string) {
    super(text ?? `status ${status}`)
    this.status = status
    this.text = text
  }
}

/** A status without a text. */
export const bareRefusal = (status: number) => new VaultRefusal(status)
/** 400 with the text. */
export const badRequest = (text: string) => new VaultRefusal(400, text)
/** 404 with an empty list: what was asked for does not exist. */
export const nothingThere = () => new VaultRefusal(404)
/** 503: nothing but its status answers until it is unsealed. */
export const vaultIsSealed = () => new VaultRefusal(503, 'Vault is sealed')
/** 403 before any policy was judged: no token, or none that is valid. */
export const invalidToken = () => new VaultRefusal(403, 'permission denied')
/** 403 by policy, in the words of go-multierror. */
export const deniedByPolicy = () => new VaultRefusal(403, oneError('permission denied'))
/** 404: the engine has no such route. */
export const unsupportedPath = () => new VaultRefusal(404, oneError('unsupported path'))
/** 405: the route exists and does not know the operation. */
export const unsupportedOperation = () => new VaultRefusal(405, oneError('unsupported operation'))

/** A text as go-multierror prints a list of one. */
export function oneError(text: string): string {
  return `1 error occurred:\n\t* ${text}\n\n`
}
