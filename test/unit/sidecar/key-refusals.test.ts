import { UpstreamError } from '#lib/broker'
import { SecretValue } from '#lib/secrets'
import { expect, test } from 'vitest'
import type { Access, BrokeredSecret } from '../../../services/sidecar/access.ts'
import { KeyRefusals } from '../../../services/sidecar/key-refusals.ts'
import type { LiveAttempt } from '../../../services/sidecar/live-attempt.ts'

const refusal = new UpstreamError('upstream-unauthorized', 'm')
const attempt = { agentType: { name: 'writer' } } as LiveAttempt
const secret = (generation: number): BrokeredSecret => ({
  name: 'key',
  egress: { baseUrl: 'https://a.example', header: 'x: {value}', allow: [] },
  read: { value: new SecretValue('key', 'v', generation), generation, stale: false },
})

function setup() {
  let now = 0
  let reads = 0
  const access = { refused: () => void reads++ } as unknown as Access
  const refusals = new KeyRefusals(access, { now: () => now, sleep: async () => {} })
  return { refusals, advance: (ms: number) => void (now += ms), reads: () => reads }
}

test('G10: a storm of refusals is read again after 1 s, then after twice as long', () => {
  const { refusals, advance, reads } = setup()
  const storm = () => {
    for (let n = 0; n < 50; n++) refusals.note(attempt, secret(1), refusal)
    return reads()
  }
  expect(storm()).toBe(1)
  advance(1000)
  expect(storm()).toBe(2)
  advance(1000)
  expect(storm()).toBe(2)
  advance(1000)
  expect(storm()).toBe(3)
})

test('a newer generation that is refused is read again at once', () => {
  const { refusals, reads } = setup()
  refusals.note(attempt, secret(1), refusal)
  expect(refusals.note(attempt, secret(2), refusal)).toBe(true)
  expect(reads()).toBe(2)
})

test('another failure says nothing about the key', () => {
  const { refusals, reads } = setup()
  expect(refusals.note(attempt, secret(1), new UpstreamError('upstream-failed', 'm'))).toBe(false)
  expect(reads()).toBe(0)
})
