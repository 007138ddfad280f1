import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#lib/runtime'
import type { GrantEnd } from '#lib/wire'
import type { Attempts } from './attempts.ts'
import type { Claims, ClaimingWorker } from './claim.ts'
import { NoRouteError } from './errors.ts'
import { readJson, sendJson } from './exchange.ts'

/** How long the end of a grant waits for its revocations; they go on after that. */
const END_WAIT_MS = 2000

export interface WorkerRoutesOptions {
  claims: Claims
  attempts: Attempts
  clock: Clock
}

/** What a worker may ask: `POST /v1/grants`, `DELETE /v1/grants/<grant>`. */
export class WorkerRoutes {
  readonly #options: WorkerRoutesOptions

  constructor(options: WorkerRoutesOptions) {
    this.#options = options
  }

  async serve(request: IncomingMessage, response: ServerResponse, worker: ClaimingWorker): Promise<void> {
    const { method = '', url = '' } = request
    if (method === 'POST' && url === '/v1/grants')
      return sendJson(response, 201, {
        grant: await this.#options.claims.claim(await readJson(request), worker),
      })
    const grant = method === 'DELETE' ? /^\/v1\/grants\/([\w-]{1,100})$/.exec(url)?.[1] : undefined
    if (!grant) throw new NoRouteError(method, url)
    return sendJson(response, 200, await this.#end(grant, worker))
  }

  /** A grant that has ended already, or is of another type, is gone as far as this worker is concerned. */
  async #end(grantId: string, { agentType }: ClaimingWorker): Promise<GrantEnd> {
    const { attempts, clock } = this.#options
    const grant = attempts.table.get(grantId)
    if (grant && grant.agentType !== agentType) return { revokedLeases: 0 }
    const ending = attempts.end(grantId, 'released')
    if (!ending) return { revokedLeases: 0 }
    const waited = new AbortController()
    const tooLong = clock.sleep(END_WAIT_MS, waited.signal).then(
      () => undefined,
      () => undefined,
    )
    const revokedLeases = await Promise.race([ending, tooLong])
    waited.abort()
    return revokedLeases === undefined ? { revokedLeases: 0, pending: true } : { revokedLeases }
  }
}
