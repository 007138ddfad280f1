import { expect, test } from 'vitest'
import { agentTypeOf, idempotentRequestId, newRequestId, queueOf } from '#lib/queue'

const scope = { cluster: 'demo', environment: 'dev' }

test('a queue is named after its agent type, and all its keys carry one hash tag', () => {
  const { name, prefix, key } = queueOf(scope, 'writer')
  expect({ name, prefix, key: key('tb:manifest') }).toEqual({
    name: 'writer',
    prefix: '{tb:demo:dev:writer}',
    key: '{tb:demo:dev:writer}:writer:tb:manifest',
  })
})

test('ids differ, sort by time, name their agent type and are legal job ids', () => {
  const ids = Array.from({ length: 1000 }, () => newRequestId('a-b'))
  expect(new Set(ids).size).toBe(1000)
  for (const id of ids) expect(id).toMatch(/^a-b\.[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
  expect(ids.map((id) => id.slice(0, 16)).toSorted()).toEqual(ids.map((id) => id.slice(0, 16)))
  expect(agentTypeOf(ids[0]!)).toBe('a-b')
})

test.each(['', 'writer', 'writer.1', 'Writer.0123456789abcdef0123456789abcdef', 'x'.repeat(50)])(
  '"%s" names no agent type',
  (id) => expect(agentTypeOf(id)).toBeUndefined(),
)

function of(tenant: string, agentType: string, key: string, environment = 'dev'): string {
  return idempotentRequestId({ ...scope, environment }, { tenant, agentType, key })
}

test('an idempotency key stands for one id per scope, tenant and agent type', () => {
  const ids = [
    of('t', 'a', 'k'),
    of('t', 'a', 'k2'),
    of('t2', 'a', 'k'),
    of('t', 'b', 'k'),
    of('t', 'a', 'k', 'prod'),
  ]
  expect(new Set(ids).size).toBe(ids.length)
  expect(of('t', 'a', 'k')).toBe(ids[0])
  expect(of('t","a', 'a', 'k')).not.toBe(of('t', 'a', '","ak'))
  expect(agentTypeOf(ids[0]!)).toBe('a')
})
