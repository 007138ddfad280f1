import { expect, test } from 'vitest'
import { watchMints } from '../../../services/sidecar/mint-watch.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

test('a minute with more tokens than its attempts explain is an alert, and no other minute', async () => {
  const clock = new TurnedClock()
  const now = { minted: 0, attempts: 0 }
  const alerts: unknown[] = []
  const raise = async (...alert: unknown[]) => void alerts.push(alert)
  const watch = watchMints({ counts: () => ({ ...now }), agentTypes: 2, raise, clock })
  Object.assign(now, { minted: 22, attempts: 10 })
  await clock.advance(60_000)
  expect(alerts).toEqual([])
  Object.assign(now, { minted: 27, attempts: 11 })
  await clock.advance(60_000)
  expect(alerts).toEqual([['mints-above-attempts', 'warning', { mints: '5', attempts: '1' }]])
  await clock.advance(600_000)
  expect(alerts).toHaveLength(1)
  await watch[Symbol.asyncDispose]()
  expect(clock.sleeping).toBe(0)
})
