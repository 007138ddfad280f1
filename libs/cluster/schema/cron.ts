import { scalar } from './field.ts'

const WORDS = ['daily', 'weekly', 'monthly']
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** Minute, hour, day of month, month, day of week: lowest, highest, names. */
const FIELDS: readonly [min: number, max: number, names?: readonly string[]][] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12, MONTHS],
  [0, 7, DAYS],
]

/** `daily`, `weekly`, `monthly`, or five cron fields. */
export const schedule = () =>
  scalar('daily, weekly, monthly, or five cron fields such as "0 4 * * 1"', (value) =>
    typeof value === 'string' && (WORDS.includes(value) || isCron(value)) ? value : undefined,
  )

function isCron(text: string): boolean {
  const fields = text.trim().split(/\s+/)
  return (
    text.length <= 200 && fields.length === FIELDS.length && fields.every((field, at) => isField(field, at))
  )
}

function isField(field: string, at: number): boolean {
  return field.split(',').every((part) => {
    const [range, step, ...rest] = part.split('/')
    return rest.length === 0 && isRange(range!, at) && (step === undefined || isStep(step, FIELDS[at]![1]))
  })
}

const isStep = (step: string, max: number) =>
  /^\d{1,2}$/.test(step) && Number(step) >= 1 && Number(step) <= max

function isRange(range: string, at: number): boolean {
  if (range === '*') return true
  const [from, to, ...rest] = range.split('-').map((edge) => edgeOf(edge, at))
  if (rest.length > 0 || from === undefined || Number.isNaN(from)) return false
  return to === undefined ? !range.includes('-') : from <= to
}

function edgeOf(edge: string, at: number): number {
  const [min, max, names = []] = FIELDS[at]!
  const named = names.indexOf(edge.toLowerCase())
  if (named >= 0) return named + min
  const number = /^\d{1,2}$/.test(edge) ? Number(edge) : Number.NaN
  return number >= min && number <= max ? number : Number.NaN
}
