import type { IncomingHttpHeaders } from 'node:http'
import type { Answer, Conversation } from './conversation.ts'

/** The request is not one that the provider would take. */
export class BadRequestError extends Error {
  override readonly name = 'BadRequestError'
}

/** How one provider speaks: its path, its key, its bodies, its stream. */
export interface Dialect {
  readonly provider: 'anthropic' | 'openai'
  readonly path: string
  /** The key that a request carries, or undefined. */
  keyOf(headers: IncomingHttpHeaders): string | undefined
  /** @throws BadRequestError */
  read(body: unknown, headers: IncomingHttpHeaders): Conversation
  answer(conversation: Conversation, answer: Answer): object
  /** The server-sent events of a streamed answer, in order, each as it goes over the wire. */
  events(conversation: Conversation, answer: Answer): string[]
  /** The body that the provider sends with a status; `key` is what the request carried. */
  error(status: number, message: string, key?: string): object
  models(): object
}

/** A text in pieces of about one word, as providers stream it. */
export function piecesOf(text: string): string[] {
  return text.match(/\S+\s*|\s+/g) ?? []
}
