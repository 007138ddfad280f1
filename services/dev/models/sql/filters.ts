import type { Column, Table } from './schema.ts'
import { COMPARATORS, FILLER, GRAMMAR } from './vocabulary.ts'
import { columnAt, labelOf, measureOf, tablesIn, timeOf, type Word } from './words.ts'

/** `table.column operator value`; the value is a SQL literal. */
export interface Condition {
  table: Table
  column: Column
  operator: string
  value: string
}

/** A question being read: its words, and which of them nothing has explained yet. */
export interface Reading {
  words: Word[]
  tables: Table[]
  /** The tables that may be meant, the likeliest first. */
  near: Table[]
  used: Set<number>
}

const PLACE = /(^|_)(city|country|region|state|location|place|town|department|category|team|warehouse)$/

/** Every condition of the question; the words that made them are marked as used. */
export function readFilters(reading: Reading): Condition[] {
  return [
    ...betweens(reading),
    ...comparisons(reading),
    ...bareValues(reading),
    ...periods(reading),
    ...names(reading),
    ...places(reading),
    ...adjectives(reading),
  ]
}

function comparisons(reading: Reading): Condition[] {
  const found: Condition[] = []
  for (let at = 0; at < reading.words.length; at++) {
    const phrase = COMPARATORS.find(([text]) => phraseAt(reading.words, at, text))
    if (!phrase || reading.used.has(at)) continue
    const to = at + phrase[0].split(' ').length
    const condition = comparison(reading, { at, to, operator: phrase[1] })
    if (condition) found.push(condition)
    at = condition ? to : at
  }
  return found
}

function comparison(
  reading: Reading,
  { at, to, operator }: { at: number; to: number; operator: string },
): Condition | undefined {
  const valueAt = skipFiller(reading.words, to)
  const value = reading.words[valueAt]
  if (!value || COMPARATORS.some(([text]) => phraseAt(reading.words, valueAt, text))) return undefined
  const named = columnBefore(reading, at)
  if (value.kind === 'word' && (!named || isKnown(reading, valueAt))) return undefined
  const target = named ?? columnByValue(reading, value)
  if (!target) return undefined
  use(reading, named?.from ?? at, valueAt + 1)
  return conditionOf(target, operator, value)
}

/** `COLUMN between A and B`. */
function betweens(reading: Reading): Condition[] {
  const at = reading.words.findIndex(({ lower }) => lower === 'between')
  const [low, and, high] = reading.words.slice(at + 1, at + 4)
  if (at < 0 || !low || and?.lower !== 'and' || !high) return []
  const named = columnBefore(reading, at)
  const target = named ?? columnByValue(reading, low)
  if (!target) return []
  use(reading, named?.from ?? at, at + 4)
  return [conditionOf(target, '>=', low), conditionOf(target, '<=', high)]
}

/** `with status shipped`: a column that a value follows at once. */
function bareValues(reading: Reading): Condition[] {
  return reading.words.flatMap((word, at) => {
    if (!['with', 'where', 'whose', 'have', 'has', 'having', 'and', 'in', 'for'].includes(word.lower))
      return []
    const hit = near(reading, skipFiller(reading.words, at + 1))
    const value = hit && reading.words[hit.to]
    if (!hit || !value || reading.used.has(hit.to) || reading.used.has(hit.to - 1)) return []
    if (value.kind === 'word' && (isKnown(reading, hit.to) || isGrammar(value))) return []
    use(reading, at, hit.to + 1)
    return [conditionOf(hit, '=', value)]
  })
}

/** `in 2025`, `last 30 days`. */
function periods(reading: Reading): Condition[] {
  const target = reading.near
    .map((table) => ({ table, column: timeOf(table) }))
    .find(({ column }) => column !== undefined)
  if (!target?.column) return []
  const ref = { table: target.table, column: target.column }
  return reading.words.flatMap((word, at) => {
    const next = reading.words[at + 1]
    if (reading.used.has(at + 1) || !next) return []
    if (['in', 'during', 'from', 'of'].includes(word.lower) && /^(19|20)\d\d$/.test(next.lower)) {
      use(reading, at, at + 2)
      const start = { ...ref, operator: '>=', value: `'${next.lower}-01-01'` }
      return [start, { ...ref, operator: '<', value: `'${Number(next.lower) + 1}-01-01'` }]
    }
    const unit = reading.words[at + 2]?.stem ?? ''
    if (!/^(last|past)$/.test(word.lower) || next.kind !== 'number' || !/^(day|week|month|year)$/.test(unit))
      return []
    use(reading, at, at + 3)
    return [{ ...ref, operator: '>=', value: `now() - interval '${Number(next.lower)} ${unit}s'` }]
  })
}

/** `the customer "Ada Lovelace"`: a proper name right after a table is a row's label. */
function names(reading: Reading): Condition[] {
  return tablesIn(reading.words, reading.tables).flatMap(({ table, to }) => {
    const value = reading.words[to]
    if (!value || reading.used.has(to) || !isProper(reading, to)) return []
    use(reading, to, to + 1)
    return [conditionOf({ table, column: labelOf(table) }, '=', value)]
  })
}

function isProper(reading: Reading, at: number): boolean {
  const value = reading.words[at]!
  return (
    !isKnown(reading, at) &&
    (value.kind === 'quoted' || (value.kind === 'word' && /^\p{Lu}/u.test(value.text)))
  )
}

/** `from Berlin`, `in "new york"`: a proper name in a column for places or kinds. */
function places(reading: Reading): Condition[] {
  return reading.words.flatMap((word, at) => {
    const value = reading.words[at + 1]
    if (!/^(in|from|for|by)$/.test(word.lower) || !value || reading.used.has(at + 1)) return []
    if (!isProper(reading, at + 1)) return []
    const candidates = reading.near.flatMap((table) => table.columns.map((column) => ({ table, column })))
    const target =
      candidates.find(({ column }) => PLACE.test(column.name)) ??
      candidates.find(({ column }) => column.kind === 'text' && /(^|_)name$/.test(column.name))
    if (!target) return []
    use(reading, at, at + 2)
    return [conditionOf(target, '=', value)]
  })
}

/** `open tickets`: a word before the table that nothing explains is its status, or a flag of that name. */
function adjectives(reading: Reading): Condition[] {
  return tablesIn(reading.words, reading.tables).flatMap(({ table, from }) => {
    const word = reading.words[from - 1]
    if (!word || word.kind !== 'word' || reading.used.has(from - 1) || isGrammar(word)) return []
    const flag = table.columns.find(
      ({ name, kind }) => kind === 'boolean' && name.replace(/^(is|has)_/, '') === word.lower,
    )
    const status = table.columns.find(
      ({ name, kind }) => kind === 'text' && /^(status|state|kind|type|category|priority|level)$/.test(name),
    )
    if ((!flag && !status) || isKnown(reading, from - 1)) return []
    use(reading, from - 1, from)
    if (flag) return [{ table, column: flag, operator: '=', value: 'true' }]
    return [conditionOf({ table, column: status! }, '=', { ...word, text: word.lower })]
  })
}

/** `us` is grammar, `US` is a value. */
function isGrammar(word: Word): boolean {
  return GRAMMAR.has(word.lower) && !/^[A-Z]{2,}$/.test(word.text)
}

/** The word is a table, a column of a table that may be meant, or grammar. */
function isKnown(reading: Reading, at: number): boolean {
  const word = reading.words[at]
  if (!word || word.kind === 'quoted' || word.kind === 'date' || word.kind === 'number') return false
  const isTable = reading.tables.some(({ name }) => name.toLowerCase() === word.lower)
  return isTable || near(reading, at) !== undefined || isGrammar(word)
}

function near(reading: Reading, at: number): { table: Table; column: Column; to: number } | undefined {
  for (const table of reading.near) {
    const hit = columnAt(reading.words, at, table)
    if (hit) return { table, ...hit }
  }
  return undefined
}

/** The column named right before `at`, over filler words such as "that is". */
function columnBefore(reading: Reading, at: number) {
  let end = at
  while (end > 0 && FILLER.has(reading.words[end - 1]!.lower)) end--
  for (const table of reading.near)
    for (let from = Math.max(0, end - 4); from < end; from++) {
      const hit = columnAt(reading.words, from, table)
      if (hit && hit.to === end && !reading.used.has(from)) return { table, column: hit.column, from }
    }
  return undefined
}

/** The column that a value without a name is about: dates go to a time, numbers to the measure. */
function columnByValue(reading: Reading, value: Word): { table: Table; column: Column } | undefined {
  if (value.kind !== 'date' && value.kind !== 'number') return undefined
  for (const table of reading.near) {
    const column = value.kind === 'date' ? timeOf(table) : measureOf(table)
    if (column) return { table, column }
  }
  return undefined
}

function conditionOf(
  { table, column }: { table: Table; column: Column },
  operator: string,
  value: Word,
): Condition {
  const op = column.kind === 'number' && operator === 'ILIKE' ? '=' : operator
  return { table, column, operator: op, value: literal(column, value, op) }
}

function literal(column: Column, value: Word, operator: string): string {
  if (column.kind === 'boolean') return /^(false|no|not|0)$/.test(value.lower) ? 'false' : 'true'
  const number = Number(value.text)
  if (column.kind === 'number' && value.text !== '' && Number.isFinite(number))
    return String(column.name.endsWith('_cents') ? Math.round(number * 100) : number)
  const text = value.text.replaceAll("'", "''")
  return operator === 'ILIKE' ? `'%${text}%'` : `'${text}'`
}

function phraseAt(words: Word[], at: number, phrase: string): boolean {
  return phrase
    .split(' ')
    .every((part, index) => words[at + index]?.kind === 'word' && words[at + index]?.lower === part)
}

function skipFiller(words: Word[], at: number): number {
  let to = at
  while (words[to] && FILLER.has(words[to]!.lower)) to++
  return to
}

function use(reading: Reading, from: number, to: number): void {
  for (let at = from; at < to; at++) reading.used.add(at)
}
