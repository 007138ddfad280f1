import { request } from 'node:http'
import { userInfo } from 'node:os'
import { json } from 'node:stream/consumers'
import type { OperatorAccess } from '#lib/http'
import { messageOf } from '#lib/runtime'
import * as z from 'zod'
import { CommandError } from './errors.ts'
import { readKey } from './target.ts'

const Refusal = z.object({ error: z.object({ message: z.string() }) })
/** Long enough for a Vault that is slow, short enough for someone who waits. */
const TIMEOUT_MS = 15_000

/** A service at the socket that it has for operators. */
export class OperatorSocket {
  readonly #who: 'sidecar' | 'rotator'
  readonly #access: OperatorAccess

  constructor(who: 'sidecar' | 'rotator', access: OperatorAccess) {
    this.#who = who
    this.#access = access
  }

  /** What it answers. @throws CommandError when it refuses or does not answer */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.#send(method, path, body).catch((cause: unknown) => {
      throw new CommandError(`the ${this.#who} cannot be asked: ${messageOf(cause)}`, { cause })
    })
    if (answer.status === 200) return answer.body
    const why = Refusal.safeParse(answer.body).data?.error.message ?? `it answered ${answer.status}`
    throw new CommandError(`the ${this.#who} refuses: ${why}`)
  }

  #send(method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> {
    const { socket: socketPath, credentialFile } = this.#access
    const type = body && { 'content-type': 'application/json' }
    const headers = { authorization: `Bearer ${readKey(credentialFile)}`, ...type }
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath, method, path, headers, timeout: TIMEOUT_MS }, (response) => {
        json(response).then((parsed) => resolve({ status: response.statusCode ?? 0, body: parsed }), reject)
      })
      sent.once('error', reject).once('timeout', () => sent.destroy(new Error('it does not answer')))
      sent.end(body && JSON.stringify(body))
    })
  }
}

/** Who types: the user behind sudo where there is one. For the record; nothing is decided by it. */
export const operatorName = (): string => (process.env['SUDO_USER'] || userInfo().username).slice(0, 100)
