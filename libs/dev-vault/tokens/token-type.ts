import { badRequest } from '../errors.ts'
import type { Fields } from '../fields.ts'

/** What a token is: kept, renewable and revocable; or all in itself, until its time is over. */
export type TokenKind = 'service' | 'batch'
/** What a role says of the tokens that it makes; `default-…` lets the call decide. */
export type TokenType = 'default' | 'default-service' | 'default-batch' | TokenKind

/** The types of an auth method's role. */
const METHOD_TYPES = ['default', 'service', 'batch']

/** The field `token_type` of an auth method's role. @throws VaultRefusal 400 */
export function methodTokenType(fields: Fields, fallback: TokenType): TokenType {
  const type = fields.string('token_type', fallback) || 'default'
  if (!METHOD_TYPES.includes(type)) throw badRequest(`invalid 'token_type' value "${type}"`)
  return type as TokenType
}

/** The field `token_type` of a token role. @throws VaultRefusal 400 */
export function roleTokenType(fields: Fields, fallback: TokenType): TokenType {
  const type = fields.string('token_type', fallback)
  if (type === '' || type === 'default') return 'default-service'
  if (!['default-service', 'default-batch', 'service', 'batch'].includes(type))
    throw badRequest(`invalid 'token_type' value "${type}"`)
  return type as TokenType
}

/** What an auth method's role can't have when it makes batch tokens, in Vault's words; undefined: all is well. */
export function batchContradiction(role: {
  tokenType: TokenType
  periodMs: number
  numUses: number
}): string | undefined {
  if (role.tokenType !== 'batch' && role.tokenType !== 'default-batch') return undefined
  const start = "'token_type' cannot be 'batch' or 'default_batch' when set to generate"
  if (role.periodMs > 0) return `${start} periodic tokens`
  return role.numUses > 0 ? `${start} tokens with limited use count` : undefined
}

/** What a call gets that asks for `asked` through a role of this type. @throws VaultRefusal 400 */
export function tokenKind(asked: string, type: TokenType = 'default'): TokenKind {
  if (type === 'service' || type === 'batch') return type
  if (asked === '') return type === 'default-batch' ? 'batch' : 'service'
  if (asked !== 'service' && asked !== 'batch') throw badRequest("invalid 'token_type' value")
  return asked
}
