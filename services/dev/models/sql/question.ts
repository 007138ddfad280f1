import { type Condition, readFilters, type Reading } from './filters.ts'
import { isReachable } from './joins.ts'
import type { Column, Table } from './schema.ts'
import { columnAt, labelOf, measureOf, tablesIn, timeOf, type Word, wordsOf } from './words.ts'

export interface Ref {
  table: Table
  column: Column
}
export interface Aggregate {
  name: 'COUNT' | 'SUM' | 'AVG' | 'MIN' | 'MAX'
  /** Absent: rows are counted. */
  of?: Ref
}

/** A question as a query over the schema. */
export interface Query {
  from: Table
  columns: Ref[]
  aggregate?: Aggregate
  where: Condition[]
  groupBy?: Ref
  order?: { by: Ref | 'aggregate'; descending: boolean }
  limit?: number
}

/** Reads a question as a query; undefined when it means none of several tables. */
export function readQuestion(question: string, tables: Table[]): Query | undefined {
  const words = wordsOf(question)
  const mentioned = tablesIn(words, tables).map(({ table }) => table)
  const main = mentioned[0] ?? tables.find((table) => words.some((_, at) => columnAt(words, at, table)))
  const first = main ?? (tables.length === 1 ? tables[0] : undefined)
  if (!first) return undefined
  const reachable = tables.filter((table) => isReachable(first, table, tables))
  const near = [...new Set([first, ...mentioned, ...reachable])]
  return readParts({ words, tables, near, used: new Set() }, first)
}

function readParts(reading: Reading, main: Table): Query {
  const ranking = readRanking(reading)
  const aggregate = readAggregate(reading)
  const groupBy = readGroup(reading, aggregate !== undefined)
  const rank = ranking && rankBy(reading, ranking, aggregate)
  const where = readFilters(reading)
  if (rank?.aggregate) {
    const { counted = main, ...parts } = rank
    return { ...parts, where, columns: [], from: rank.aggregate.of?.table ?? counted }
  }
  if (aggregate) {
    const from = aggregate.of?.table ?? main
    return { from, columns: [], aggregate, where, ...(groupBy && { groupBy, order: byAggregate }) }
  }
  const columns = groupBy ? [] : readColumns(reading)
  if (groupBy)
    return { from: main, columns, aggregate: { name: 'COUNT' }, where, groupBy, order: byAggregate }
  return {
    from: main,
    columns,
    where,
    ...rank,
    ...readSorting(reading),
  }
}

const byAggregate = { by: 'aggregate', descending: true } as const

interface Ranking {
  at: number
  word: string
  limit: number
}
const RANKING =
  /^(top|newest|latest|recent|oldest|earliest|cheapest|priciest|highest|lowest|largest|biggest|smallest|most|fewest|longest|shortest|best)$/

/** `top 5`, `3 newest`, `the most expensive`: which rows come first, and how many. */
function readRanking({ words, used }: Reading): Ranking | undefined {
  const at = words.findIndex(({ lower }, i) => RANKING.test(lower) && words[i - 1]?.lower !== 'at')
  if (at < 0) return undefined
  const next = words.slice(at + 1, at + 3).find(({ kind }) => kind === 'number')
  const before = words[at - 1]?.kind === 'number' ? words[at - 1] : undefined
  const number =
    before ?? (words[at + 1]?.kind === 'number' || words[at]!.lower === 'most' ? next : undefined)
  for (let i = at - (before ? 1 : 0); i <= at + (number && !before ? 1 : 0); i++) used.add(i)
  const plural = words.slice(at + 1, at + 4).some(({ lower, stem }) => lower !== stem)
  const limit = number ? Number(number.text) : plural && words[at]!.lower !== 'most' ? 5 : 1
  return { at, word: words[at]!.lower, limit: Math.max(1, Math.min(1000, Math.trunc(limit) || 1)) }
}

type Ranked = Pick<Query, 'groupBy' | 'aggregate' | 'order' | 'limit'> & { counted?: Table }

/** What a ranking is by: rows of another table, a figure of one, a named column, a time, or the measure. */
function rankBy(reading: Reading, ranking: Ranking, aggregate?: Aggregate): Ranked | undefined {
  const { words, tables } = reading
  const descending = !/^(oldest|earliest|cheapest|lowest|smallest|fewest|shortest)$/.test(ranking.word)
  const mentions = tablesIn(words, tables)
  const subject = mentions[0]?.table
  const counted = mentions.find(
    ({ table, from }) =>
      table !== subject && (isCountOf(words, from) || (from === ranking.at + 1 && mentions[0]!.from < from)),
  )
  const groups = subject && { groupBy: { table: subject, column: labelOf(subject) } }
  const order = { by: 'aggregate' as const, descending }
  if (counted && groups)
    return {
      ...groups,
      aggregate: { name: 'COUNT' as const },
      counted: counted.table,
      order,
      limit: ranking.limit,
    }
  if (aggregate?.of && groups && aggregate.of.table !== subject)
    return { ...groups, aggregate, order, limit: ranking.limit }
  const by = aggregate?.of ?? namedOrder(reading, ranking) ?? defaultOrder(ranking.word, reading.near)
  if (by && groups && by.table !== subject)
    return { ...groups, aggregate: { name: 'SUM' as const, of: by }, order, limit: ranking.limit }
  if (/^(highest|lowest)$/.test(ranking.word) && by && !/\b(which|who|list|show)\b/.test(lowerText(words)))
    return followsColumn(reading, ranking)
      ? { aggregate: { name: descending ? ('MAX' as const) : ('MIN' as const), of: by } }
      : { order: { by, descending }, limit: ranking.limit }
  return by && { order: { by, descending }, limit: ranking.limit }
}

const lowerText = (words: Word[]) => words.map(({ lower }) => lower).join(' ')

function isCountOf(words: Word[], at: number): boolean {
  return /\b(number|count) of( the)?$/.test(lowerText(words.slice(Math.max(0, at - 3), at)))
}

function followsColumn({ words, near }: Reading, { at }: Ranking): boolean {
  return (
    near.some((table) => columnAt(words, at + 1, table)) && near.every((t) => !sameAsTable(words[at + 1], t))
  )
}

function sameAsTable(word: Word | undefined, table: Table): boolean {
  return word?.lower === table.name.toLowerCase()
}

function namedOrder({ words, near }: Reading, { at }: Ranking): Ref | undefined {
  const by = words.findIndex(({ lower }, i) => i > at && lower === 'by')
  const places = by < 0 ? [at + 1, at + 2] : [by + 1, by + 2]
  return firstColumn(words, near, places)
}

function firstColumn(words: Word[], near: Table[], places: number[]): Ref | undefined {
  for (const place of places)
    for (const table of near) {
      const hit = columnAt(words, place, table)
      if (hit) return { table, column: hit.column }
    }
  return undefined
}

function defaultOrder(word: string, near: Table[]): Ref | undefined {
  const wanted = /^(newest|latest|recent|oldest|earliest)$/.test(word) ? timeOf : measureOf
  for (const table of near) {
    const column = wanted(table)
    if (column) return { table, column }
  }
  return undefined
}

/** `by city`, `per customer`, `for each category`. */
function readGroup({ words, tables, near, used }: Reading, aggregated: boolean): Ref | undefined {
  const at = words.findIndex(
    ({ lower }, i) =>
      !used.has(i) &&
      (lower === 'per' || lower === 'each' || lower === 'every' || lower === 'by') &&
      !/^(order|ordered|sorted|sort|ranked)$/.test(words[i - 1]?.lower ?? ''),
  )
  const isRanking = words.some(({ lower }) => RANKING.test(lower))
  if (at < 0 || ((isRanking || !aggregated) && words[at]!.lower === 'by')) return undefined
  const column = firstColumn(words, near, [at + 1])
  const table = tablesIn(words, tables).find(({ from }) => from === at + 1)?.table
  if (!column && !table) return undefined
  used.add(at).add(at + 1)
  return table ? { table, column: labelOf(table) } : column
}

/** `how many`, `total X`, `average X`, `the maximum X`. */
function readAggregate(reading: Reading): Aggregate | undefined {
  const { words, near, used } = reading
  for (const [at, { lower }] of words.entries()) {
    const name = aggregateName(words, at)
    if (!name) continue
    const places = [at + 1, at + 2, at + 3]
    const column =
      firstColumn(words, near, name === 'COUNT' ? [at + 1, at + 2] : places) ?? ownColumn(lower, near)
    used.add(at)
    if (name === 'COUNT') return countOf(reading, column)
    if (column?.column.kind !== 'number') continue
    return { name, of: column }
  }
  return undefined
}

/** "how many units": a figure is added up; "how many orders": rows are counted. */
function countOf({ words, tables }: Reading, column: Ref | undefined): Aggregate {
  const counted = tablesIn(words, tables).length > 0
  return column?.column.kind === 'number' && !counted ? { name: 'SUM', of: column } : { name: 'COUNT' }
}

function ownColumn(word: string, near: Table[]): Ref | undefined {
  for (const table of near) {
    const column = word === 'revenue' ? measureOf(table) : table.columns.find(({ name }) => name === word)
    if (column) return { table, column }
  }
  const [table] = near
  const measure = table && measureOf(table)
  return measure && { table, column: measure }
}

function aggregateName(words: Word[], at: number): Aggregate['name'] | undefined {
  const { lower } = words[at]!
  const before = words[at - 1]?.lower ?? ''
  if ((lower === 'many' && before === 'how') || lower === 'count') return 'COUNT'
  if (lower === 'number' && words[at + 1]?.lower === 'of') return 'COUNT'
  if (/^(average|avg|mean)$/.test(lower)) return 'AVG'
  if (/^(maximum|max)$/.test(lower)) return 'MAX'
  if (/^(minimum|min)$/.test(lower)) return 'MIN'
  if (lower === 'sum' || lower === 'revenue' || (lower === 'much' && before === 'how')) return 'SUM'
  const isColumn = /^(by|with|where|whose|and|average|highest|lowest|maximum|minimum|a|order|of)$/.test(
    before,
  )
  const compared = /^(over|under|above|below|is|between|>|<|=|more|less|at)$/.test(words[at + 1]?.lower ?? '')
  return lower === 'total' && !isColumn && !compared ? 'SUM' : undefined
}

/** `sorted by price descending`. */
function readSorting({ words, near }: Reading): Pick<Query, 'order'> {
  const at = words.findIndex(({ lower }) => /^(sorted|ordered|sort|order|ranked)$/.test(lower))
  const by = at >= 0 && words[at + 1]?.lower === 'by' ? firstColumn(words, near, [at + 2]) : undefined
  return by ? { order: { by, descending: /\bdesc(ending)?\b/.test(lowerText(words)) } } : {}
}

/** The columns that a list asks for: those it names before any condition, with the label of a joined table. */
function readColumns({ words, near, used }: Reading): Ref[] {
  const until = words.findIndex(
    ({ lower }, at) => used.has(at) && /^(where|with|whose|sorted|ordered)$/.test(lower),
  )
  const found: Ref[] = []
  for (let at = 0; at < (until < 0 ? words.length : until); at++) {
    if (used.has(at) || sortsHere(words, at)) continue
    const ref = firstColumn(words, near, [at])
    if (ref && !found.some(({ column }) => column === ref.column)) found.push(ref)
  }
  return found
}

const sortsHere = (words: Word[], at: number) =>
  words[at - 1]?.lower === 'by' || /^(sorted|ordered|sort|order)$/.test(words[at]!.lower)
