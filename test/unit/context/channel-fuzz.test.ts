import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { encodeFrame, type FromContext } from '#lib/wire'
import { Allowance } from '../../../libs/context/allowance.ts'
import { Channel, type Phase } from '../../../libs/context/channel.ts'
import { FromContextSchema } from '../../../libs/context/schemas.ts'

const ID = 'a'.repeat(16)
const SPAN = { name: 'x', spanId: ID, parentSpanId: ID, startMs: 1, endMs: 2, attributes: { a: 1 } }
const ERROR = { type: 'Error', message: 'x', stack: 'at x' }
const LEGAL: FromContext[] = [
  { t: 'hello' },
  { t: 'loaded' },
  { t: 'load-failed', error: ERROR },
  { t: 'described', input: {}, output: null },
  { t: 'started', atMs: 1 },
  { t: 'log', level: 'info', message: 'x', fields: { a: 1 }, atMs: 1 },
  { t: 'progress', value: [1] },
  { t: 'emit', value: { a: 1 } },
  { t: 'span', span: SPAN },
  { t: 'call', id: 0, agentType: 'other', input: 1, spanId: ID },
  { t: 'result', value: 'x', memory: {} },
  { t: 'failed', error: ERROR, permanent: true },
]
const PHASES: Phase[] = ['starting', 'loading', 'ready', 'describing', 'running', 'over']
const ODD: unknown[] = [
  null,
  true,
  -1,
  1e308,
  '',
  'x'.repeat(3000),
  [],
  {},
  [[[]]],
  { __proto__: null, t: 'hello' },
]
const KEYS = ['t', 'value', '__proto__', 'constructor', 'toString', 'span', 'error', 'id', 'cmd']

/** The same numbers on every machine. */
function randomOf(seed: number): (below: number) => number {
  return (below) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1) % below
}

/** One of the legal messages with one to three things wrong, or bytes of its frame changed. */
function spoilt(random: (below: number) => number): Buffer {
  const message = structuredClone(LEGAL[random(LEGAL.length)]!) as unknown as Record<string, unknown>
  for (let changes = random(4); changes > 0; changes--) {
    const inner = Object.values(message).filter((value) => typeof value === 'object' && value !== null)
    const target = (random(2) ? inner[0] : undefined) ?? message
    const keys = [...Object.keys(target), ...KEYS]
    const key = keys[random(keys.length)]!
    if (random(3) === 0) Reflect.deleteProperty(target, key)
    else
      Object.defineProperty(target, key, {
        value: structuredClone(ODD[random(ODD.length)]),
        enumerable: true,
        configurable: true,
        writable: true,
      })
  }
  const frame = encodeFrame(message)
  for (let flips = random(3); flips > 1; flips--) frame[random(frame.length)]! ^= 1 << random(8)
  return frame
}

test('I2: of 10,000 spoilt frames each ends at worst its own context, and none that is illegal is handed on', async () => {
  const random = randomOf(4711)
  const handedOn: FromContext[] = []
  const ends: string[] = []
  for (let round = 0; round < 10_000; round++) {
    const channel = new Channel(new Allowance(100_000), (message) => handedOn.push(message))
    const end = channel.converse(PHASES[random(PHASES.length)]!)
    const rest = Buffer.concat([spoilt(random), spoilt(random)])
    channel.attach({ socket: new PassThrough() as unknown as Socket, rest })
    await new Promise(setImmediate)
    channel.close()
    ends.push((await end).kind)
  }
  const count = (kind: string) => ends.filter((one) => one === kind).length
  expect(count('violation')).toBeGreaterThan(3000)
  expect(count('message')).toBeGreaterThan(100)
  expect(count('violation') + count('message') + count('closed')).toBe(10_000)
  expect(handedOn.length).toBeGreaterThan(100)
  expect(handedOn.filter((message) => !FromContextSchema.safeParse(message).success)).toEqual([])
  expect([...new Set(handedOn.map(({ t }) => t))].toSorted()).toEqual([
    'call',
    'emit',
    'log',
    'progress',
    'span',
    'started',
  ])
  expect(Object.keys(Object.prototype)).toEqual([])
})
