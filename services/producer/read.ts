import type { ApiKey } from '#lib/http'
import { agentTypeOf, type FoundRequest, readRequest, type RequestOwner, type RequestView } from '#lib/queue'
import type { Producer } from './accept.ts'
import type { ServedType } from './agent-types.ts'
import type { EndWatch } from './end-watch.ts'
import { ProblemError } from './problem.ts'

/** A waiting caller looks again at least this often, whatever the events said. */
const LOOK_AGAIN_MS = 5000

/** A request that a key may see, and where it lies. */
export interface OwnRequest extends FoundRequest {
  type: ServedType
}

/** What a key may see of a request. @throws ProblemError `not-found`, the same for an unknown id and for another tenant's */
export async function readOwn(producer: Producer, id: string, key: ApiKey): Promise<OwnRequest> {
  const type = typeOf(producer, id)
  const found = type && (await readRequest({ ...producer, queue: type.queue, ref: type.ref, id }))
  if (!found || !mayRead(key, found.owner)) throw notFound(id)
  return { ...found, type }
}

export interface WaitOptions {
  id: string
  key: ApiKey
  waitMs: number
  /** Ends the wait early: the caller is gone, or the producer closes. */
  signal: AbortSignal
}

/** The request once it has ended, or as it is when the wait is over. @throws ProblemError */
export async function readWhenEnded(
  producer: Producer,
  watch: EndWatch,
  options: WaitOptions,
): Promise<RequestView> {
  const { id, key, waitMs, signal } = options
  const look = async () => (await readOwn(producer, id, key)).view
  const view = await look()
  if (view.state === 'ended' || waitMs === 0) return view
  await watch.listen(typeOf(producer, id)!)
  return await lookUntilEnded(watch, look, { id, until: performance.now() + waitMs, signal })
}

/** Registers before each look (W1 of EndWatch): an end in between wakes at once. */
async function lookUntilEnded(
  watch: EndWatch,
  look: () => Promise<RequestView>,
  { id, until, signal }: { id: string; until: number; signal: AbortSignal },
): Promise<RequestView> {
  for (;;) {
    const { promise: woken, resolve } = Promise.withResolvers<void>()
    const unregister = watch.register(id, resolve)
    const left = until - performance.now()
    const timer = setTimeout(resolve, Math.max(0, Math.min(left, LOOK_AGAIN_MS)))
    signal.addEventListener('abort', () => resolve(), { once: true })
    try {
      const view = await look()
      if (view.state === 'ended' || left <= 0 || signal.aborted) return view
      await woken
    } finally {
      clearTimeout(timer)
      unregister()
    }
  }
}

function typeOf({ types }: Producer, id: string): ServedType | undefined {
  const name = agentTypeOf(id)
  return name === undefined ? undefined : types.find(name)
}

/** A worker's key sees the calls of its own agent type, whoever's they are; any other key its tenant's requests. */
function mayRead(key: ApiKey, owner: RequestOwner): boolean {
  return key.agentType === undefined ? owner.tenant === key.tenant : owner.chain.at(-1) === key.agentType
}

function notFound(id: string): ProblemError {
  return new ProblemError('not-found', `there is no request ${JSON.stringify(id.slice(0, 100))}`, {
    field: 'id',
  })
}
