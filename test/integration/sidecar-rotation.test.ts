import { readFile, writeFile } from 'node:fs/promises'
import { publishPromotion } from '#lib/queue'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CANARY, openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

const SECOND = 'sk-canary-second-0123456789'
let world: SidecarWorld
beforeEach(async () => {
  world = await openSidecarWorld()
})
afterEach(() => world[Symbol.asyncDispose]())

const put = (secret: string, value: string) =>
  world.client.kvWrite(world.rootToken, world.names.secret(secret), { value })
/** The provider takes this key for models and no other. */
async function acceptOnly(openai: string): Promise<void> {
  const keys = JSON.parse(await readFile(world.models.keysFile, 'utf8')) as object
  await writeFile(world.models.keysFile, JSON.stringify({ ...keys, openai: [openai] }))
}
type Context = Awaited<ReturnType<SidecarWorld['granted']>>['context']
const generationOf = async (context: Context) =>
  (await context.ask('GET', '/v1/secrets/plain')).json.generation as number
const models = (context: Context) =>
  context.ask('GET', '/v1/fetch', undefined, {
    'x-tb-url': `${world.models.url.replace('127.0.0.1', 'localhost')}/v1/models`,
  })

describe('a rotation as the sidecar sees it', () => {
  test('a promotion that is told is in use at once, without a refusal', async () => {
    const { context } = await world.granted('writer')
    expect(await generationOf(context)).toBe(1)
    const generation = await put('plain', 'canary-another-value-0123')
    expect(await generationOf(context)).toBe(1)
    await publishPromotion(world.redis, world.scope, { secret: 'plain', generation })
    await expect.poll(() => generationOf(context), { interval: 5 }).toBe(2)
    expect(world.reads()).toBe(2)
  })

  test('a promotion that was told while the connection was lost is found by the next who uses the secret', async () => {
    const { context } = await world.granted('writer')
    expect(await generationOf(context)).toBe(1)
    await put('plain', 'canary-another-value-0123')
    await world.redis.call('client', 'kill', 'type', 'pubsub')
    await expect.poll(() => generationOf(context), { interval: 20 }).toBe(2)
  })

  test('what is no promotion changes nothing and ends nothing', async () => {
    const { context } = await world.granted('writer')
    await generationOf(context)
    const [channel] = (await world.redis.call('pubsub', 'channels')) as string[]
    for (const text of ['', '{}', '[1]', '{"secret":"plain","generation":-1}'])
      await world.redis.publish(channel!, text)
    const generation = await put('plain', 'canary-another-value-0123')
    await publishPromotion(world.redis, world.scope, { secret: 'plain', generation })
    await expect.poll(() => generationOf(context), { interval: 5 }).toBe(2)
    expect(world.reads()).toBe(2)
  })

  test('I9 of twenty calls at once whose key was ended none fails: one read, and each call once more', async () => {
    const contexts = await Promise.all(
      Array.from({ length: 5 }, async () => (await world.granted('writer')).context),
    )
    expect((await models(contexts[0]!)).status).toBe(200)
    const before = world.reads()
    await put('web', SECOND)
    await acceptOnly(SECOND)
    const answers = await Promise.all(contexts.map((context) => models(context)))
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(200))
    expect(world.reads() - before).toBe(1)
  })

  test('a provider that refuses all keys costs 8 reads of Vault at most in the first minute, whoever asks', async () => {
    await acceptOnly(SECOND)
    const { context } = await world.granted('writer')
    for (let asked = 0; asked < 60; asked++) expect((await models(context)).status).toBe(401)
    expect(world.reads()).toBeLessThanOrEqual(8)
    expect(await readFile(world.models.keysFile, 'utf8')).not.toContain(CANARY.openai)
  })
})
