import { setTimeout as delay } from 'node:timers/promises'
import { parseCluster } from '#lib/cluster'
import { DevVault } from '#lib/dev-vault'
import { openRedis, serviceKeys } from '#lib/queue'
import { requestRotation, RotationStore } from '#lib/rotation'
import { onDispose, silentLog, systemClock } from '#lib/runtime'
import { VaultClient, vaultNames } from '#lib/vault'
import { expect, test } from 'vitest'
import { openRotator } from '../../services/rotator/rotator.ts'
import { FakeAccount, fakeProvider } from '../support/fake-provider.ts'
import { startRedis } from '../support/queue-redis.ts'

const ROOT = 'root-token-of-the-test-0123'
const SECRETS = 50
const ROUNDS = 4
const ACCOUNTS = 5

const nameOf = (at: number) => `secret-${at}`
const raise = async () => {}

/** `createMs`: how long the provider takes to make a key. */
async function setup({ createMs }: { createMs: number }) {
  await using stack = new AsyncDisposableStack()
  const cluster = parseCluster('cluster: two\nagents: { a: { model: gpt-4-turbo, system: x } }', {
    file: '/tmp/threadbound.yaml',
  })
  const scope = { cluster: cluster.name, environment: cluster.environment }
  const names = vaultNames(scope)
  const server = stack.use(await startRedis())
  const vault = stack.use(await DevVault.open({ clock: systemClock, rootToken: ROOT, log: silentLog }))
  const connect = async () => stack.use(await VaultClient.open({ address: vault.address }))
  const client = await connect()
  await client.admin.mount(ROOT, 'kv', { type: 'kv', options: { version: '2' } })
  /** Calls under way at each account of the provider, and the most that there were. */
  const busy = { now: Array<number>(ACCOUNTS).fill(0), most: 0 }
  const counted = async <T>(account: number, call: () => T): Promise<T> => {
    busy.most = Math.max(busy.most, ++busy.now[account]!)
    await delay(createMs)
    busy.now[account]!--
    return call()
  }
  const accounts = Array.from({ length: SECRETS }, () => new FakeAccount(systemClock))
  for (const [at, account] of accounts.entries())
    await client.kvWrite(ROOT, names.secret(nameOf(at)), { value: account.add('first').value })

  /** A rotator with connections of its own. */
  const open = async (instance: string) => {
    const redis = await openRedis(server.config, 'reader')
    const blocking = await openRedis(server.config, 'worker')
    stack.use(onDispose(() => [redis, blocking].forEach((one) => one.disconnect())))
    const holders = { timeoutsMs: [0], freshMs: 50, staleMs: 0, skewMs: 0 }
    const secrets = accounts.map((account, at) => ({
      name: nameOf(at),
      keyPrefix: `tb/two/dev/${nameOf(at)}/`,
      every: 'monthly',
      holders,
      consumers: [],
      provider: {
        ...fakeProvider(account),
        account: `fake/${at % ACCOUNTS}`,
        create: ({ name }: { name: string }) => counted(at % ACCOUNTS, () => account.add(name)),
        disable: undefined as never,
      },
    }))
    const store = new RotationStore({ vault: await connect(), names, use: (call) => call(ROOT) })
    const keys = serviceKeys(scope, 'rotator')
    const all = { cluster, secrets, store, redis, blocking, keys, raise, instance, log: silentLog }
    return stack.use(await openRotator({ ...all, lookEveryMs: 1000 }))
  }
  const rotators = [await open('one'), await open('two')]
  const store = new RotationStore({ vault: client, names, use: (call) => call(ROOT) })
  const redis = await openRedis(server.config, 'reader')
  stack.use(onDispose(() => redis.disconnect()))

  /** Asks for a rotation of each secret, and waits until all are over. */
  const round = async () => {
    for (let at = 0; at < SECRETS; at++) {
      await requestRotation(store, nameOf(at), { at: Date.now(), by: 'ann', revokeOld: false })
      for (const rotator of rotators) rotator.wake(nameOf(at))
    }
    for (let at = 0; at < SECRETS; at++)
      for (;;) {
        const { record } = await store.load(nameOf(at))
        if (record.state === 'idle' && record.requested === null) break
        await delay(20)
      }
  }
  const generations = async () =>
    Promise.all(accounts.map(async (_, at) => (await store.live(nameOf(at)))?.generation))
  /** What is left of each secret: how many keys, and whether the live value is one of them. */
  const whole = async () =>
    Promise.all(
      accounts.map(async (account, at) => {
        const live = await store.live(nameOf(at))
        return account.keys.size === 1 && account.accepts(live?.value)
      }),
    )
  const dropLocks = async () => {
    const locks = await redis.keys('*tb:lock*')
    if (locks.length > 0) await redis.del(...locks)
    return locks.length
  }
  const opened = stack.move()
  return {
    accounts,
    busy,
    round,
    generations,
    whole,
    dropLocks,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

test('two rotators, 50 secrets, 200 rotations: none is done twice', async () => {
  await using world = await setup({ createMs: 2 })
  for (let count = 0; count < ROUNDS; count++) await world.round()
  const created = world.accounts.map((account) => account.created.length)
  expect(created).toEqual(Array(SECRETS).fill(1 + ROUNDS))
  expect(await world.generations()).toEqual(Array(SECRETS).fill(1 + ROUNDS))
  expect(await world.whole()).toEqual(Array(SECRETS).fill(true))
  expect(world.busy.most).toBe(1)
}, 300_000)

test('with locks that hold nobody, still one promotion for each that was asked for, and one key at the end', async () => {
  await using world = await setup({ createMs: 50 }) // long enough for two to meet
  const over = new AbortController()
  let dropped = 0
  const stealing = (async () => {
    while (!over.signal.aborted) {
      dropped += await world.dropLocks()
      await delay(5)
    }
  })()
  for (let count = 0; count < ROUNDS; count++) await world.round()
  over.abort()
  await stealing
  expect(dropped).toBeGreaterThan(50)
  expect(world.busy.most).toBeGreaterThan(1)
  expect(await world.generations()).toEqual(Array(SECRETS).fill(1 + ROUNDS))
  await world.round()
  expect(await world.whole()).toEqual(Array(SECRETS).fill(true))
}, 300_000)
