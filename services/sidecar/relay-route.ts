import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { addressOf, BadBrokerRequestError, connectDatabase, relay } from '#lib/broker'
import type { Access } from './access.ts'
import { errorBody, retryAfter } from './exchange.ts'
import { failureOf } from './failure.ts'
import type { LiveAttempt } from './live-attempt.ts'

/**
 * `CONNECT <secret>:0`: the connection becomes a byte relay to the secret's database, and nowhere else. It ends with the
 * relay. A refusal leaves the connection usable for further requests.
 * @throws whatever refuses it, before the first byte was answered
 */
export async function openRelay(
  access: Access,
  attempt: LiveAttempt,
  request: IncomingMessage,
): Promise<(near: Duplex, head: Buffer) => Promise<void>> {
  const name = /^([a-z][a-z0-9-]{0,40}):0$/.exec(request.url ?? '')?.[1]
  if (!name) throw new BadBrokerRequestError('CONNECT wants "<name of a secret>:0"')
  const free = attempt.budget.connect()
  try {
    attempt.budget.call()
    const to = await access.relayTo(attempt, name)
    const far = await connectDatabase(to, attempt.signal)
    access.dialled(attempt, name, to.socket ?? addressOf(far))
    return async (near, head) => {
      near.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      if (head.length > 0) near.unshift(head)
      const count = (bytes: number) => attempt.budget.move(bytes)
      await relay(near, far, { signal: attempt.signal, count }).finally(free)
    }
  } catch (error) {
    free()
    throw error
  }
}

/** The answer to a CONNECT that was refused, as bytes. */
export function refusalOf(error: unknown): string {
  const failure = failureOf(error)
  const body = JSON.stringify(errorBody(failure))
  const headers = [
    `HTTP/1.1 ${failure.status} Refused`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    ...retryAfter(failure).map(([name, value]) => `${name}: ${value}`),
  ]
  return `${headers.join('\r\n')}\r\n\r\n${body}`
}
