import { listen } from '#lib/http'
import { openRedis, publicKeyOf } from '#lib/queue'
import { hashCredential, silentLog, systemClock } from '#lib/runtime'
import { openAgentTypes } from '../../services/producer/agent-types.ts'
import { EndWatch } from '../../services/producer/end-watch.ts'
import { buildServer } from '../../services/producer/server.ts'
import { API_KEY, type WorkerWorld } from './worker-world.ts'

const KEYS = { shop: 'tbk_shop', rival: 'tbk_rival', worker: API_KEY }
type Who = keyof typeof KEYS

/** A real producer in front of a world of workers: two tenants, and the key of the workers of `workersOf`. */
export async function openProducer(world: WorkerWorld, workersOf = 'gated') {
  const stack = new AsyncDisposableStack()
  const { cluster, scope, signingKey, redisServer } = world
  const redis = await openRedis(redisServer.config, 'producer')
  stack.defer(() => redis.disconnect())
  const types = stack.use(await openAgentTypes({ cluster, redis, log: silentLog }))
  const connect = () => openRedis(redisServer.config, 'worker')
  const watch = stack.use(new EndWatch({ redis, log: silentLog, connect }))
  const publicKey = publicKeyOf(signingKey)
  const producer = { scope, types, redis, signingKey, publicKey, clock: systemClock, log: silentLog }
  const keys = [
    { hash: hashCredential(KEYS.shop), caller: 'shop', tenant: 'acme' },
    { hash: hashCredential(KEYS.rival), caller: 'spy', tenant: 'rival' },
    { hash: hashCredential(KEYS.worker), caller: workersOf, tenant: 'default', agentType: workersOf },
  ]
  const server = stack.use(
    await listen(buildServer({ producer, keys, watch }), { host: '127.0.0.1', port: 0 }),
  )
  const call = async (method: string, path: string, who: Who = 'shop') => {
    const headers = { authorization: `Bearer ${KEYS[who]}` }
    const response = await fetch(`${server.url}${path}`, { method, headers })
    return { status: response.status, body: (await response.json()) as any }
  }
  return {
    url: server.url,
    /** Requests that somebody waits for. */
    waiting: () => watch.waiting,
    apiKey: KEYS.shop,
    cancel: (id: string, who?: Who) => call('DELETE', `/v1/requests/${id}`, who),
    /** The request once it has ended, or as it is when the wait is over. */
    get: (id: string, wait = '0s', who?: Who) => call('GET', `/v1/requests/${id}?wait=${wait}`, who),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
export type WorldProducer = Awaited<ReturnType<typeof openProducer>>
