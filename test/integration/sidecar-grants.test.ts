import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const claim = async (agentType: string, change: object = {}) => {
  const [context, worker, job] = await Promise.all([
    world.context(agentType),
    world.worker(agentType),
    world.job(agentType),
  ])
  return worker.ask('POST', '/v1/grants', { context: context.id, ...job, ...change })
}

describe('I5: a grant goes only to a worker of the type, for a live lock, a signed job, once', () => {
  test('no grant, no access', async () => {
    const context = await world.context('writer')
    for (const [method, path] of [
      ['POST', '/v1/model/generate'],
      ['GET', '/v1/secrets/plain'],
      ['POST', '/v1/leases'],
      ['GET', '/v1/fetch'],
    ])
      expect(await context.ask(method!, path!, method === 'POST' ? {} : undefined)).toMatchObject({
        status: 403,
        json: { error: { type: 'no-grant' } },
      })
    expect((await context.connect('orders-db:0')).status).toBe(403)
  })

  test('a context cannot ask for a grant', async () => {
    const context = await world.context('writer')
    const job = await world.job('writer')
    expect((await context.ask('POST', '/v1/grants', { context: context.id, ...job })).status).toBe(403)
    const { context: live } = await world.granted('writer')
    expect((await live.ask('POST', '/v1/grants', { context: live.id, ...job })).status).toBe(404)
  })

  test('a forged lock is refused', async () =>
    expect(await claim('writer', { lockToken: 'guess' })).toMatchObject({
      status: 409,
      json: { error: { type: 'lock-not-held' } },
    }))

  test('a changed job is refused as forged, another job’s envelope too', async () => {
    const { job } = await world.job('coder')
    expect(await claim('coder', { job: { ...job, tenant: 'other' } })).toMatchObject({
      status: 403,
      json: { error: { type: 'forged' } },
    })
    expect(await claim('coder', { job })).toMatchObject({ status: 403, json: { error: { type: 'forged' } } })
  })

  test('an unsigned job is refused, except for a type that accepts those', async () => {
    const job = { input: { q: 1 } }
    expect(await claim('coder', { job })).toMatchObject({
      status: 403,
      json: { error: { type: 'unsigned' } },
    })
    expect((await claim('writer', { job })).status).toBe(201)
  })

  test('a second claim is refused: of the context, and of the attempt', async () => {
    const { context, worker, job } = await world.granted('writer')
    const other = await world.job('writer')
    expect(await worker.ask('POST', '/v1/grants', { context: context.id, ...other })).toMatchObject({
      status: 409,
      json: { error: { type: 'context-claimed' } },
    })
    const fresh = await world.context('writer')
    expect(await worker.ask('POST', '/v1/grants', { context: fresh.id, ...job })).toMatchObject({
      status: 409,
      json: { error: { type: 'attempt-claimed' } },
    })
  })

  test('a context of another type, or none at all, is refused', async () => {
    const stranger = await world.context('coder')
    expect((await claim('writer', { context: stranger.id })).json.error.type).toBe('wrong-agent-type')
    expect((await claim('writer', { context: 'nobody' })).json.error.type).toBe('unknown-context')
  })

  test('a grant that overtakes the connections of its context waits for the last of them', async () => {
    const id = randomUUID()
    const [worker, job] = await Promise.all([world.worker('writer'), world.job('writer')])
    const granted = worker.ask('POST', '/v1/grants', { context: id, ...job })
    const contexts = []
    for (const _ of Array(4)) {
      await delay(50)
      contexts.push(await world.peer('writer', { role: 'context', context: id }, 1))
    }
    expect((await granted).status).toBe(201)
    const asked = { prompt: 'hi' }
    for (const context of contexts)
      expect((await context.ask('POST', '/v1/model/generate', asked)).status).toBe(200)
  })

  test('a malformed claim names the field', async () =>
    expect(await claim('writer', { attempt: 0 })).toMatchObject({
      status: 400,
      json: { error: { type: 'bad-request', message: expect.stringContaining('attempt') } },
    }))

  test('a wrong credential, a garbled or oversized first line: the connection is closed', async () => {
    await (await world.worker('writer', 'credential-of-coder')).closed()
    await (await world.peer('writer', 'GET / HTTP/1.1\r\n\r\n', 1)).closed()
    await (await world.peer('writer', `{"role":"context","context":"a","x":1}\n`, 1)).closed()
    await (await world.peer('writer', 'x'.repeat(2000), 1)).closed()
  })

  test('a connection cannot join a context that was claimed', async () => {
    const { context } = await world.granted('writer')
    await (await world.peer('writer', { role: 'context', context: context.id }, 1)).closed()
    expect((await context.ask('GET', '/v1/secrets/plain')).status).toBe(200)
  })

  test('a later attempt of the job ends the grant of the earlier', async () => {
    const { context, worker, job } = await world.granted('writer')
    const next = await world.context('writer')
    const answer = await worker.ask('POST', '/v1/grants', { context: next.id, ...job, attempt: 2 })
    expect(answer.status).toBe(201)
    await context.closed()
  })

  test('I8: every grant is on record, with who got it for what', async () => {
    const { context, job } = await world.granted('writer')
    const { jobId: requestId, attempt } = job
    const facts = {
      agentType: 'writer',
      requestId,
      attempt,
      context: context.id,
      tenant: 'acme',
      caller: 'demo',
    }
    await expect
      .poll(() => world.auditLines())
      .toContainEqual(
        expect.objectContaining({ action: 'grant', outcome: 'allowed', signed: true, ...facts }),
      )
  })

  test('every refusal is on record', async () => {
    const refused = await world.job('coder', { lock: false })
    const [context, worker] = await Promise.all([world.context('coder'), world.worker('coder')])
    await worker.ask('POST', '/v1/grants', { context: context.id, ...refused })
    await expect
      .poll(() => world.auditLines())
      .toContainEqual(
        expect.objectContaining({
          action: 'deny',
          what: 'grant',
          requestId: refused.jobId,
          reason: 'lock-not-held',
        }),
      )
  })
})
