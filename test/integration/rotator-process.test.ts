import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRotatorWorld } from '../support/rotator-world.ts'

let world: Awaited<ReturnType<typeof openRotatorWorld>>
beforeEach(async () => {
  world = await openRotatorWorld()
})
afterEach(() => world?.[Symbol.asyncDispose]())

const isIdle = (record: Awaited<ReturnType<typeof world.record>>) =>
  record.state === 'idle' && record.requested === null && record.next !== null
const rotations = async () =>
  (await world.record()).history.filter(({ state }) => state === 'promoted').length

test('a failed rotation is an alert on the stream, and no value is in it or in the log', async () => {
  world.faults.push({ method: 'POST', fault: { status: 503 } })
  await world.ask()
  const rotator = await world.start({ log: 'pipe' })
  const log = text(rotator.stdout!)
  await world.until(({ state }) => state === 'failed')
  await world.ask()
  await world.until(isIdle)
  rotator.kill('SIGTERM')
  expect(await once(rotator, 'exit')).toEqual([0, null])
  const [alert] = await world.alerts()
  expect(alert).toMatchObject({
    name: 'rotation-failed',
    severity: 'warning',
    labels: { service: 'rotator', secret: 'openai-api-key', step: 'create' },
  })
  expect(await log).toContain('"state":"promoted"')
  expect((await log) + JSON.stringify(await world.alerts())).not.toMatch(/sk-/)
})

test('without a single job of BullMQ the own timer does all of it', async () => {
  const rotator = await world.start()
  await world.until(({ next }) => next !== null)
  await expect.poll(() => world.dropJobs()).toBeGreaterThan(0)
  await world.ask()
  await world.until(async (record) => {
    await world.dropJobs()
    return isIdle(record) && record.history.length > 0
  })
  expect(await rotations()).toBe(1)
  expect(await world.works()).toBe(true)
  rotator.kill('SIGTERM')
})

test('SIGTERM in the middle of a rotation ends the process, and the next one goes on at once', async () => {
  await world.ask()
  const first = await world.start()
  await world.until(({ state }) => state === 'grace')
  first.kill('SIGTERM')
  expect(await once(first, 'exit')).toEqual([0, null])
  expect(await world.locks()).toEqual([])
  await world.start()
  await world.until(isIdle)
  expect(await world.keys()).toBe(1)
})

test('what a killed rotator holds others up with expires by itself', async () => {
  await world.ask()
  const first = await world.start()
  world.points.reset({ point: 3, kill: () => first.kill('SIGKILL') })
  await once(first, 'exit')
  expect((await world.locks()).length).toBeGreaterThan(0)
  await world.start()
  await world.until(isIdle)
  expect(await world.keys()).toBe(1)
  expect(await world.works()).toBe(true)
})

test('a rotator whose token is revoked ends itself, so that its supervisor gives it another', async () => {
  const rotator = await world.start()
  await world.until(({ next }) => next !== null)
  const exited = once(rotator, 'exit')
  await world.endTokens()
  expect(await exited).toEqual([0, null])
})
