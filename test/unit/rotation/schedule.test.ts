import { describe, expect, test } from 'vitest'
import { parseSchedule, ScheduleError } from '#lib/rotation'
import { withinWindow } from '../../../libs/rotation/schedule.ts'

const at = (text: string) => Date.parse(`${text}Z`)
const iso = (ms: number) => new Date(ms).toISOString().slice(0, 16)
const late = (every: string) =>
  parseSchedule(every).next(at('2026-11-27T12:00'), () => 1) -
  parseSchedule(every).next(at('2026-11-27T12:00'), () => 0)

describe('a schedule', () => {
  test.each([
    ['daily', '2026-11-28T03:00'],
    ['weekly', '2026-11-30T03:00'],
    ['monthly', '2026-12-01T03:00'],
    ['*/20 * * * *', '2026-11-27T12:20'],
    ['0 4 * * sun', '2026-11-29T04:00'],
    ['0 4 * * 7', '2026-11-29T04:00'],
  ])('%s is due next at %s', (every, expected) => {
    expect(iso(parseSchedule(every).next(at('2026-11-27T12:00'), () => 0))).toBe(expected)
  })

  test('is late by at most a tenth of its period, and never by more than half an hour', () => {
    expect(late('*/20 * * * *')).toBe(120_000)
    expect(late('monthly')).toBe(1_800_000)
  })

  test.each(['hourly', '* * * *', '* * * * * *', '61 * * * *', ''])('%j is none', (every) => {
    expect(() => parseSchedule(every)).toThrow(ScheduleError)
  })
})

describe('a maintenance window', () => {
  const night = { fromMinute: 22 * 60, toMinute: 4 * 60 }
  const morning = { fromMinute: 120, toMinute: 300 }
  test.each([
    ['2026-11-27T23:00', night, '2026-11-27T23:00'],
    ['2026-11-27T03:59', night, '2026-11-27T03:59'],
    ['2026-11-27T04:00', night, '2026-11-27T22:00'],
    ['2026-11-27T01:00', morning, '2026-11-27T02:00'],
    ['2026-11-27T05:00', morning, '2026-11-28T02:00'],
    ['2026-11-27T05:00', undefined, '2026-11-27T05:00'],
  ])('what is due at %s begins within %j at %s', (due, window, expected) => {
    expect(iso(withinWindow(at(due), window))).toBe(expected)
  })
})
