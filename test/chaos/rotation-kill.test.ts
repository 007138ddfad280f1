import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRotatorWorld } from '../support/rotator-world.ts'

let world: Awaited<ReturnType<typeof openRotatorWorld>>
beforeAll(async () => {
  world = await openRotatorWorld()
})
afterAll(() => world?.[Symbol.asyncDispose]())

const line = (...cells: (string | number)[]) => `| ${cells.join(' | ')} |`

interface Row {
  point: string
  left: string
  after: string
  keys: number
}

const isDone = (record: Awaited<ReturnType<typeof world.record>>) =>
  record.state === 'idle' && record.requested === null && record.next !== null

/** Runs a rotation whose rotator is killed at a point; another one ends it, and is the one to be killed next. */
async function killedAt(point: number, rotator: ChildProcess): Promise<[Row, ChildProcess] | undefined> {
  const killed = new AbortController()
  const kill = () => {
    rotator.kill('SIGKILL')
    killed.abort()
  }
  const exited = once(rotator, 'exit')
  world.points.reset({ point, kill })
  await world.ask()
  await world.until((record) => killed.signal.aborted || (isDone(record) && world.points.labels.length > 0))
  if (!killed.signal.aborted) return undefined
  await exited
  const label = world.points.labels[point]!
  const left = await world.record()
  expect(await world.works(), `a working key is live after the kill ${label}`).toBe(true)
  world.points.reset()
  await world.dropLocks()
  const next = await world.start()
  const { state, failure, rotation } = await world.until((record) => isDone(record))
  const row = { point: `${point} ${label}`, left: left.state, after: state, keys: await world.keys() }
  expect(await world.works(), row.point).toBe(true)
  expect({ failure, rotation, keys: row.keys, pending: await world.pending() }, row.point).toEqual({
    failure: null,
    rotation: null,
    keys: 1,
    pending: undefined,
  })
  return [row, next]
}

test('kill -9 at every step leaves what another rotator finishes: a working key, no orphan, idle', async () => {
  const rows: Row[] = []
  let rotator = await world.start()
  await world.until((record) => record.next !== null)
  for (let point = 0; ; point++) {
    const ended = await killedAt(point, rotator)
    if (!ended) break
    rows.push(ended[0])
    rotator = ended[1]
  }
  const table = [
    line('killed', 'left as', 'then', 'keys'),
    line('---', '---', '---', '---'),
    ...rows.map(({ point, left, after, keys }) => line(point, left, after, keys)),
  ]
  process.stdout.write(`${table.join('\n')}\n`)
  const labels = rows.map(({ point }) => point.replace(/^\d+ /, ''))
  for (const step of ['make the key', 'write pending', 'try a key', 'write the live value', 'end the key'])
    for (const when of ['before', 'after']) expect(labels).toContain(`${when} ${step}`)
  expect(new Set(rows.map(({ left }) => left))).toEqual(
    new Set(['idle', 'creating', 'created', 'verified', 'promoted', 'grace', 'revoked']),
  )
}, 900_000)
