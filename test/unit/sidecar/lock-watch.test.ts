import { expect, test } from 'vitest'
import { silentLog } from '#lib/runtime'
import type { LiveAttempt } from '../../../services/sidecar/live-attempt.ts'
import { watchLocks } from '../../../services/sidecar/lock-watch.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

/** Two attempts, of which the look at the second job's lock is what the test says. */
function setup(look: () => Promise<boolean>) {
  const clock = new TurnedClock()
  const ended: string[] = []
  const attempts = {
    list: () => ['1', '2'].map((id) => ({ grant: { id, agentType: 'a', jobId: id } }) as LiveAttempt),
    end: (id: string, reason: string) => void ended.push(`${id} ${reason}`),
  }
  const isLockHeld = async (_type: string, { jobId }: { jobId: string }) => jobId === '1' || look()
  return { clock, ended, watch: watchLocks({ attempts, isLockHeld, clock, log: silentLog }) }
}

test('I5: a grant ends when its lock is not held, and no other', async () => {
  const { clock, ended } = setup(async () => false)
  await clock.advance(1000)
  expect(ended).toEqual(['2 lock-lost'])
})

test('a Redis that fails ends nothing, and is asked again', async () => {
  let looks = 0
  const { clock, ended } = setup(async () => {
    if (++looks === 1) throw new Error('connection is closed')
    return false
  })
  await clock.advance(1000)
  expect(ended).toEqual([])
  await clock.advance(1000)
  expect(ended).toEqual(['2 lock-lost'])
})

test('a Redis that never answers ends nothing, and holds up no disposal', async () => {
  const { clock, ended, watch } = setup(() => new Promise(() => {}))
  await clock.advance(5000)
  await watch[Symbol.asyncDispose]()
  expect(ended).toEqual([])
})
