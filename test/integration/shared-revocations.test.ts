import { openRedis, readRevocations, revocationsKey } from '#lib/queue'
import { onDispose, silentLog } from '#lib/runtime'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Revocation } from '../../services/sidecar/revocations.ts'
import { SharedRevocations } from '../../services/sidecar/shared-revocations.ts'
import { startRedis, type TestRedis } from '../support/queue-redis.ts'

const PATIENT = { timeout: 20_000, interval: 20 }
const scope = { cluster: 'shop', environment: 'test' }
const SECRET = { target: { secret: 'plain', generation: 1 }, operator: 'eve', keepRunning: true }
const TYPE = { target: { agentType: 'writer' }, operator: 'eve', keepRunning: false }
let server: TestRedis
let open: AsyncDisposableStack
beforeEach(async () => {
  server = await startRedis()
  open = new AsyncDisposableStack()
  open.use(server)
})
afterEach(() => open.disposeAsync())

/** What a sidecar shares, and what it has carried out so far. */
async function sidecar() {
  const done: Revocation[] = []
  const revocations = {
    exact: (target: Revocation['target']) => target,
    preview: () => [],
    revoke: async (revocation: Revocation) => {
      done.push(revocation)
      return { attempts: [], revokedLeases: 0 }
    },
  }
  const connect = async () => {
    const redis = await openRedis(server.config, 'reader')
    open.use(onDispose(() => redis.disconnect()))
    return redis
  }
  const [redis, channel] = [await connect(), await connect()]
  const { last: after } = await readRevocations(redis, scope)
  const shared = open.use(
    await SharedRevocations.open({ revocations, redis, channel, scope, after, log: silentLog }),
  )
  return { shared, done, redis, channel }
}

describe('I6 what an operator revokes at one sidecar', () => {
  test('is carried out by those of other hosts, once by each, and by the one that was asked at once', async () => {
    const [here, there] = [await sidecar(), await sidecar()]
    expect(await here.shared.revoke(SECRET)).toMatchObject({ isTold: true })
    expect(here.done).toEqual([SECRET])
    await expect.poll(() => there.done, PATIENT).toMatchObject([SECRET])
    await there.shared.revoke(TYPE)
    await expect.poll(() => here.done, PATIENT).toMatchObject([SECRET, TYPE])
    expect(there.done).toMatchObject([SECRET, TYPE])
  })

  test('is carried out by one that heard no message of it', async () => {
    const [here, there] = [await sidecar(), await sidecar()]
    await there.channel.unsubscribe(revocationsKey(scope))
    await here.shared.revoke(SECRET)
    await expect.poll(() => there.done, PATIENT).toMatchObject([SECRET])
  })

  test('does not wait for a Redis that is frozen, and is told when it answers again', async () => {
    const [here, there] = [await sidecar(), await sidecar()]
    server.freeze()
    const revoking = here.shared.revoke(SECRET)
    expect(here.done).toEqual([SECRET])
    expect(await revoking).toMatchObject({ isTold: false })
    server.thaw()
    await expect.poll(() => there.done, PATIENT).toMatchObject([SECRET])
  })

  test('survives a Redis that is killed, with the connections to it', async () => {
    const [here, there] = [await sidecar(), await sidecar()]
    await here.shared.revoke(SECRET)
    await expect.poll(() => there.done, PATIENT).toMatchObject([SECRET])
    await server.kill()
    expect(await here.shared.revoke(TYPE)).toMatchObject({ isTold: false })
    await server.start()
    await expect.poll(() => there.done, PATIENT).toMatchObject([SECRET, TYPE])
    expect(here.done).toEqual([SECRET, TYPE])
  })

  test('is known to one that starts later, which carries out only what comes then', async () => {
    const here = await sidecar()
    const trace = { ...TYPE, target: { trace: 'a'.repeat(32) } }
    for (const one of [SECRET, trace]) await here.shared.revoke(one)
    await here.redis.xadd(revocationsKey(scope), '*', 'notice', '{"target":{}}')
    const { notices } = await readRevocations(here.redis, scope)
    expect(notices).toMatchObject([SECRET, trace])
    const late = await sidecar()
    await here.shared.revoke(TYPE)
    await expect.poll(() => late.done, PATIENT).toMatchObject([TYPE])
  })
})
