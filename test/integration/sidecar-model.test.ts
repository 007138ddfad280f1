import { MASK } from '#lib/secrets'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CANARY, openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

describe('a model through the sidecar', () => {
  test('grant, generate, text', async () => {
    const { context, job, end } = await world.granted('coder')
    const answer = await context.ask('POST', '/v1/model/generate', {
      system: 'Translate to SQL.\nboats(id, hull, length)',
      prompt: 'How many boats with length over 12?',
    })
    expect(answer).toMatchObject({
      status: 200,
      json: {
        text: 'SELECT COUNT(*) FROM boats WHERE length > 12',
        model: 'gpt-4-turbo',
        finishReason: 'stop',
      },
    })
    expect((await end()).json).toEqual({ revokedLeases: 0 })
    const lines = async () => (await world.auditLines()).filter((line) => line.requestId === job.jobId)
    const actions = async () => (await lines()).map(({ action }) => action)
    await expect.poll(actions).toEqual(['grant', 'model', 'dialled', 'revoke'])
    expect((await lines())[1]).toMatchObject({
      secret: 'openai-api-key',
      generation: 1,
      tenant: 'acme',
      caller: 'demo',
      context: context.id,
      attempt: 1,
      traceId: '0af7651916cd43dd8448eb211c80319c',
    })
  })

  test('a stream comes as lines, ending in the whole', async () => {
    const { context } = await world.granted('writer')
    const answer = await context.ask('POST', '/v1/model/stream', {
      prompt: 'My parcel is late. Where is it?',
    })
    const lines = answer.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(answer.headers['content-type']).toBe('application/x-ndjson')
    expect(lines.length).toBeGreaterThan(3)
    expect(lines.at(-1).end.text).toBe(
      lines
        .slice(0, -1)
        .map(({ delta }) => delta)
        .join(''),
    )
  })

  test.each([
    ['[[stand-in:429]]', 429, 'upstream-rate-limited'],
    ['[[stand-in:500]]', 502, 'upstream-failed'],
  ])('a provider that answers %s gives %i %s', async (prompt, status, type) => {
    const { context } = await world.granted('writer')
    for (const path of ['/v1/model/generate', '/v1/model/stream'])
      expect(await context.ask('POST', path, { prompt })).toMatchObject({ status, json: { error: { type } } })
  })

  test('the wait that a provider asks for reaches the context', async () => {
    const { context } = await world.granted('writer')
    const { headers } = await context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:429]]' })
    expect(headers['retry-after']).toBe('1')
  })

  test('a provider that says nothing gives 504 upstream-timeout before the attempt’s time is over', async () => {
    const { context } = await world.granted('writer', { timeoutMs: 600 })
    expect(await context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:hang]]' })).toMatchObject({
      status: 504,
      json: { error: { type: 'upstream-timeout' } },
    })
  })

  test('a provider that refuses the key gives 502 upstream-unauthorized, and no storm of reads', async () => {
    const { context } = await world.granted('stranger')
    for (let asked = 0; asked < 3; asked++) {
      const answer = await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })
      expect(answer).toMatchObject({ status: 502, json: { error: { type: 'upstream-unauthorized' } } })
      expect(answer.text).not.toContain('canary')
    }
  })

  test('a key that was rotated is read again when the provider refuses the old one', async () => {
    const { context } = await world.granted('stranger')
    const path = world.names.secret('wrong-key')
    await world.client.kvWrite(world.rootToken, path, { value: CANARY.openai })
    await expect
      .poll(async () => (await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })).status)
      .toBe(200)
  })

  test('I7: a provider that echoes the key gives a mask', async () => {
    const { context } = await world.granted('writer')
    const answer = await context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:echo-key]]' })
    expect(answer.json.text).toBe(`The key is ${MASK}.`)
  })

  test.each([
    [{ prompt: 'hi', model: 'gpt-4-turbo' }, 403, 'not-allowed'],
    [{ prompt: 'hi', model: 'llama' }, 403, 'not-allowed'],
    [{}, 400, 'bad-request'],
    [{ prompt: 'a', messages: [{ role: 'user', content: 'b' }] }, 400, 'bad-request'],
    [{ prompt: 7 }, 400, 'bad-request'],
    [{ prompt: 'a', promptt: 'b' }, 400, 'bad-request'],
    [{ prompt: 'a', tools: [{ name: 'no spaces', input: {} }] }, 400, 'bad-request'],
    [{ prompt: 'a', toolChoice: 'always' }, 400, 'bad-request'],
    [{ prompt: 'a', output: JSON.parse('{"a":'.repeat(70) + '1' + '}'.repeat(70)) }, 400, 'bad-request'],
    [{ messages: [{ role: 'tool', content: 1 }] }, 400, 'bad-request'],
  ])('%j is refused with %i %s', async (body, status, type) => {
    const { context } = await world.granted('writer')
    expect(await context.ask('POST', '/v1/model/generate', body)).toMatchObject({
      status,
      json: { error: { type } },
    })
  })
})
