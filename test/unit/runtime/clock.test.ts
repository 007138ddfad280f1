import { steadyClock, systemClock } from '#lib/runtime'
import { afterEach, describe, expect, test, vi } from 'vitest'

afterEach(() => void vi.restoreAllMocks())

describe('the steady clock', () => {
  test('says the time of day, and goes on when the machine is set forward or back', () => {
    expect(Math.abs(steadyClock.now() - systemClock.now())).toBeLessThan(1000)
    const before = steadyClock.now()
    for (const jump of [3_600_000, -3_600_000]) {
      vi.spyOn(Date, 'now').mockReturnValue(before + jump)
      expect(steadyClock.now() - before).toBeGreaterThanOrEqual(0)
      expect(steadyClock.now() - before).toBeLessThan(60_000)
    }
  })
})
