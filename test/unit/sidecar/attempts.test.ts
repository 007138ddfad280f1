import { Socket } from 'node:net'
import type { AuditEvent, AuditLog } from '#lib/audit'
import type { Cluster } from '#lib/cluster'
import { silentLog } from '#lib/runtime'
import type { LeaseSet } from '#lib/secrets'
import { expect, test } from 'vitest'
import { Attempts } from '../../../services/sidecar/attempts.ts'
import { LiveAttempt } from '../../../services/sidecar/live-attempt.ts'

const clock = { now: () => 0, sleep: () => new Promise<void>(() => {}) }

/** One attempt with a grant, whose revocation is what the test says. */
function setup({ revoked = Promise.resolve(2), noted = Promise.resolve() } = {}) {
  const events: AuditEvent[] = []
  const audit = { note: (event: AuditEvent) => (events.push(event), noted) } as unknown as AuditLog
  const attempts = new Attempts({ audit, clock, log: silentLog })
  const [connection, worker] = [new Socket(), new Socket()]
  attempts.table.bind('c', connection, 'writer')
  const grant = attempts.table.claim({
    agentType: 'writer',
    contextId: 'c',
    jobId: 'j',
    attempt: 1,
    tenant: 't',
    caller: 'x',
    source: 'host uid 1 pid 2',
    traceparent: '',
    lockToken: 'l',
    deadline: 1000,
    redaction: '',
  })
  const type = { name: 'writer' } as Cluster['agents'][string]
  const attempt = new LiveAttempt(grant, type, { end: () => revoked } as unknown as LeaseSet)
  attempts.add(attempt, worker)
  return { attempts, attempt, connection, worker, grant, events }
}

test('I6: the end cuts what is under way and closes the connections before anything is revoked', () => {
  const { attempts, attempt, connection, grant } = setup({ revoked: new Promise(() => {}) })
  void attempts.end(grant.id, 'released')
  expect(attempt.signal.aborted).toBe(true)
  expect(connection.destroyed).toBe(true)
  expect(attempts.of(connection)).toBeUndefined()
})

test('two ends of one grant are one revocation', async () => {
  const { attempts, grant, worker, events } = setup()
  const first = attempts.end(grant.id, 'released')
  attempts.workerClosed(worker)
  expect(await attempts.end(grant.id, 'timeout')).toBe(2)
  expect(await first).toBe(2)
  expect(events).toHaveLength(1)
  expect(attempts.end(grant.id, 'released')).toBeUndefined()
})

test('I8: ending never waits for the audit log', async () => {
  const { attempts, grant } = setup({ noted: new Promise(() => {}) })
  expect(await attempts.end(grant.id, 'released')).toBe(2)
})

test('the stop of the sidecar ends every grant and waits for the revocations', async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const { attempts, attempt } = setup({ revoked: promise })
  let stopped = false
  const stopping = attempts[Symbol.asyncDispose]().then(() => (stopped = true))
  expect([attempt.signal.aborted, stopped]).toEqual([true, false])
  resolve(1)
  await stopping
})
