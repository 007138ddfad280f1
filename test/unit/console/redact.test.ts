import { expect, test } from 'vitest'
import { isKnownRoute, redact } from '../../../services/console/redact.ts'

const CANARY = 'canary-91'
const agentTypes = new Set(['coder'])
const JOB = '/api/queues/:queueName/:jobId'
const seen = (job: object) =>
  (redact({ route: JOB, status: 200, body: { job, status: 'failed' } }, agentTypes) as any).job

test('a field without a rule is left out, whatever a later Bull Board adds', () => {
  expect(
    seen({ id: 'x', brandNew: CANARY, opts: { telemetry: CANARY, brandNew: CANARY, attempts: 3 } }),
  ).toEqual({
    id: 'x',
    opts: { attempts: 3 },
  })
})

test.each(['timestamp', 'attempts', 'delay', 'priority', 'isFailed'])(
  'a text in the place of the figure %s is hidden',
  (field) => {
    expect(JSON.stringify(seen({ [field]: CANARY }))).not.toContain(CANARY)
    expect(seen({ [field]: 7 })).toEqual({ [field]: 7 })
  },
)

test('data of any shape is hidden, keys too', () => {
  for (const data of [
    CANARY,
    [CANARY],
    { [CANARY]: 1 },
    { v: CANARY },
    { input: { [CANARY]: CANARY } },
    { input: 42_4242 },
  ])
    expect(JSON.stringify(seen({ data }))).not.toMatch(/canary|424242/)
})

test('a failure keeps its type where it is one of ours, and never its message', () => {
  expect(seen({ failedReason: `timed-out: ${CANARY}` }).failedReason).toMatch(
    /^timed-out: hidden: string, \d+ bytes$/,
  )
  expect(seen({ failedReason: `${CANARY}: x` }).failedReason).toMatch(/^hidden: string, \d+ bytes$/)
})

test('a job is called by its name only where that is an agent type', () => {
  expect(seen({ name: 'coder' }).name).toBe('coder')
  expect(seen({ name: CANARY }).name).toMatch(/^hidden/)
})

test('a link is http or https, or none', () => {
  expect(seen({ externalUrl: { href: 'https://t/traces/1' } }).externalUrl).toEqual({
    href: 'https://t/traces/1',
  })
  for (const href of ['javascript:alert(1)', 'data:text/html,x', '//evil', 7])
    expect(seen({ externalUrl: { href } }).externalUrl.href).toBeUndefined()
})

test('an error keeps its key alone', () => {
  const body = { error: { key: 'ERRORS.X', options: { x: CANARY } }, message: CANARY, details: CANARY }
  expect(redact({ route: JOB, status: 500, body }, agentTypes)).toEqual({ error: { key: 'ERRORS.X' } })
})

test('routes without a rule are unknown', () => {
  for (const route of ['/api/redis/stats', '/api/queues/:queueName/workers', 'toString', '__proto__', ''])
    expect(isKnownRoute(route)).toBe(false)
})
