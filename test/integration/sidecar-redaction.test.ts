import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { MASK } from '#lib/secrets'
import { type Question, RedactionError, RedactionLink } from '../../services/worker/redaction.ts'
import { CANARY, openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const HEX = Buffer.from(CANARY.plain).toString('hex')

/** A writer's attempt that was handed the value of `plain`. */
async function handed() {
  const granted = await world.granted('writer')
  const { context, redaction, grant } = granted
  expect((await context.ask('GET', '/v1/secrets/plain')).json).toMatchObject({ value: CANARY.plain })
  const redact = <T>(question: Omit<Question<T>, 'grant'>) => redaction.redact({ grant, ...question })
  return { ...granted, redact }
}

const linesOf = async (jobId: string, action: string) =>
  (await world.auditLines()).filter((line) => line.action === action && line.requestId === jobId)

describe('I7: what an agent says that was handed a value', () => {
  test('an attempt that was handed none needs no question', async () => {
    const { context, redaction, grant } = await world.granted('writer')
    await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })
    expect(redaction.isNeeded(grant)).toBe(false)
  })

  test('its worker knows before the value is in the context', async () => {
    const { redaction, grant } = await handed()
    expect(redaction.isNeeded(grant)).toBe(true)
  })

  test('is masked in every form, with the keys that the broker adds for it', async () => {
    const { context, redact } = await handed()
    await context.ask('POST', '/v1/model/generate', { prompt: 'hi' })
    const base = world.cluster.secrets['web']!.egress!.baseUrl
    await context.ask('GET', '/v1/fetch', undefined, { 'x-tb-url': `${base}/v1/models` })
    const value = {
      a: [`x${CANARY.plain}`, HEX],
      [CANARY.anthropic]: Buffer.from(CANARY.openai).toString('base64'),
    }
    const { value: cleared, found } = await redact({ outlet: 'result', value })
    expect(cleared).toEqual({ a: [`x${MASK}`, MASK], [MASK]: expect.stringContaining(MASK) })
    expect(found.toSorted()).toEqual(['anthropic-api-key', 'plain', 'web'])
  })

  test('is masked across the pieces of its console output', async () => {
    const { redact } = await handed()
    const pieces = [`a ${CANARY.plain.slice(0, 9)}`, `${CANARY.plain.slice(9)} b ${HEX.slice(0, 20)}`]
    const out = [
      await redact({ outlet: 'stdout', value: pieces[0]! }),
      await redact({ outlet: 'stdout', value: pieces[1]! }),
      await redact({ outlet: 'stdout', value: '', isLast: true }),
    ]
    expect(out.map(({ value }) => value)).toEqual(['a ', `${MASK} b `, HEX.slice(0, 20)])
  })

  test('comes back as it was where nothing is in it', async () => {
    const { redact } = await handed()
    const value = { deep: [1, 'two', null] }
    const cleared = await redact({ outlet: 'log', value })
    expect(cleared.value).toBe(value)
    expect(cleared.found).toEqual([])
  })

  test('can be asked about after its grant has ended, until the worker forgets it', async () => {
    const { redact, end, redaction, grant } = await handed()
    await end()
    const said = { outlet: 'error', value: CANARY.plain } as const
    expect((await redact(said)).value).toBe(MASK)
    redaction.forget(grant)
    await expect(redact(said)).rejects.toThrow(RedactionError)
  })

  test('I6: a leased password is a value too', async () => {
    const { context, redaction, grant } = await world.granted('coder')
    const { credentials } = (await context.ask('POST', '/v1/leases', { name: 'orders-db' })).json
    const value = `postgres://${credentials.user}:${encodeURIComponent(credentials.password)}@h/d`
    const cleared = await redaction.redact({ grant, outlet: 'emit', value })
    expect(cleared.value).toBe(`postgres://${credentials.user}:${MASK}@h/d`)
  })

  test('I8: a hit is on record and an alert, once for each secret and outlet, without the value', async () => {
    const { redact, job } = await handed()
    for (let turn = 0; turn < 3; turn++) await redact({ outlet: 'progress', value: CANARY.plain })
    await redact({ outlet: 'log', value: CANARY.plain })
    const hits = async () =>
      (await linesOf(job.jobId, 'redact')).map(({ secret, outlet }) => `${secret} ${outlet}`)
    await expect.poll(hits).toEqual(['plain progress', 'plain log'])
    const alerts = world.alerts.filter(({ labels }) => labels['request'] === job.jobId)
    expect(alerts).toMatchObject([
      {
        name: 'secret-in-output',
        labels: { 'agent-type': 'writer', secret: 'plain', outlet: 'progress' },
        trace: job.traceparent.split('-')[1],
      },
      { name: 'secret-in-output', labels: { outlet: 'log' } },
    ])
    expect(JSON.stringify([alerts, await world.auditLines()])).not.toContain(CANARY.plain)
  })

  test('what it asks for is written down without its values', async () => {
    const { context, job } = await handed()
    await context.ask('GET', `/v1/secrets/${CANARY.plain}`)
    await expect.poll(() => linesOf(job.jobId, 'deny')).toMatchObject([{ what: `/v1/secrets/${MASK}` }])
  })
})

test('I7: a service that sends a key back is an alert and on record, though the key was masked', async () => {
  const { context, job } = await world.granted('writer')
  for (let turn = 0; turn < 2; turn++)
    await context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:echo-key]]' })
  await expect
    .poll(() => linesOf(job.jobId, 'redact'))
    .toMatchObject([{ secret: 'anthropic-api-key', outlet: 'echo' }])
  expect(world.alerts.filter(({ labels }) => labels['request'] === job.jobId)).toMatchObject([
    { name: 'secret-echoed', labels: { secret: 'anthropic-api-key' } },
  ])
})

describe('I7: fail closed', () => {
  test('without a worker that confirms, no value is given', async () => {
    const { context } = await world.granted('writer', { redaction: 'nobody' })
    expect(await context.ask('GET', '/v1/secrets/plain')).toMatchObject({
      status: 503,
      json: { error: { type: 'redaction-unavailable' } },
    })
  })

  test('a grant that the sidecar does not know is refused, and so is one of another agent type', async () => {
    const { grant } = await handed()
    const { redaction: other } = await world.granted('coder')
    const asked = { outlet: 'log', value: CANARY.plain } as const
    await expect(other.redact({ ...asked, grant })).rejects.toThrow('does not know the grant')
    await expect(other.redact({ ...asked, grant: 'no-such' })).rejects.toThrow(RedactionError)
  })

  test('a connection with a wrong credential clears nothing', async () => {
    const { grant } = await handed()
    const link = new RedactionLink({ path: world.socketOf('writer'), credential: 'wrong', patienceMs: 500 })
    onTestFinished(() => link[Symbol.asyncDispose]())
    await expect(link.redact({ grant, outlet: 'log', value: CANARY.plain })).rejects.toThrow(RedactionError)
  })

  test('a sidecar that does not answer in time has not cleared anything', async () => {
    const link = new RedactionLink({ path: '/nonexistent/s.sock', credential: 'x', patienceMs: 50 })
    onTestFinished(() => link[Symbol.asyncDispose]())
    await expect(link.redact({ grant: 'g', outlet: 'log', value: 1 })).rejects.toThrow(RedactionError)
  })
})
