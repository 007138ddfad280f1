import { CronExpressionParser } from 'cron-parser'
import { PermanentError } from '#lib/runtime'

/** At three in the morning, when there is least to disturb; UTC. */
const WORDS: Record<string, string> = { daily: '0 3 * * *', weekly: '0 3 * * 1', monthly: '0 3 1 * *' }
/** Rotations of many secrets are spread over a tenth of their period, and over this at most. */
const JITTER = 0.1
const MAX_JITTER_MS = 1_800_000
const DAY_MS = 86_400_000

/** Neither daily, weekly, monthly nor five cron fields. */
export class ScheduleError extends PermanentError {
  override readonly name = 'ScheduleError'
  constructor(every: string, options?: ErrorOptions) {
    super(
      `schedule ${JSON.stringify(every)}: expected daily, weekly, monthly, or five cron fields such as "0 4 * * 1"`,
      options,
    )
  }
}

/** Part of each day in which rotations may begin, in minutes since midnight UTC; over midnight where `from` is later. */
export interface MaintenanceWindow {
  fromMinute: number
  toMinute: number
}

/** When a secret is rotated. All times are epoch milliseconds, UTC. */
export interface Schedule {
  /** As written. */
  readonly every: string
  /** The longest time between two of the next runs. */
  periodMs(from: number): number
  /** The next run after `from`, late by a random part of the period. What was missed counts once. */
  next(from: number, random: () => number): number
}

/** @throws ScheduleError */
export function parseSchedule(every: string): Schedule {
  const pattern = Object.hasOwn(WORDS, every) ? WORDS[every]! : every
  if (pattern.trim().split(/\s+/).length !== 5) throw new ScheduleError(every)
  const runs = (from: number) => parse(every, pattern, from)
  runs(0)
  const periodMs = (from: number) => {
    const [a, b, c] = runs(from)
      .take(3)
      .map((date) => date.getTime()) as [number, number, number]
    return Math.max(b - a, c - b)
  }
  return {
    every,
    periodMs,
    next(from, random) {
      const jitterMs = Math.min(periodMs(from) * JITTER, MAX_JITTER_MS)
      return Math.round(runs(from).next().getTime() + random() * jitterMs)
    },
  }
}

/** `at`, or when the window opens next. */
export function withinWindow(at: number, window: MaintenanceWindow | undefined): number {
  if (!window || window.fromMinute === window.toMinute) return at
  const midnight = at - (at % DAY_MS)
  const minute = (at - midnight) / 60_000
  const { fromMinute: from, toMinute: to } = window
  const isOpen = from < to ? minute >= from && minute < to : minute >= from || minute < to
  if (isOpen) return at
  return midnight + from * 60_000 + (minute >= from ? DAY_MS : 0)
}

function parse(every: string, pattern: string, from: number) {
  try {
    return CronExpressionParser.parse(pattern, { currentDate: new Date(from), tz: 'UTC' })
  } catch (cause) {
    throw new ScheduleError(every, { cause })
  }
}
