import { type Column, singular, type Table } from './schema.ts'

/** One word, number, date or quoted text of a question. */
export interface Word {
  /** As it was written, without quotes. */
  text: string
  lower: string
  stem: string
  kind: 'word' | 'number' | 'date' | 'quoted'
}

const WORD =
  /'([^']*)'|"([^"]*)"|(\d{4}-\d{2}-\d{2})|([$€£]?\d[\d,]*(?:\.\d+)?%?)|(>=|<=|<>|!=|=|>|<)|([\p{L}_][\p{L}\p{N}_-]*(?:[.@][\p{L}\p{N}_-]+)*)/gu

/** Cuts a question into words; `'s` is dropped, so that `customer's` is `customer`. */
export function wordsOf(question: string): Word[] {
  const plain = question.replaceAll(/(\p{L})['’]s\b/gu, '$1')
  return [...plain.matchAll(WORD)].map(([whole, single, double, date, number, sign, text]) => {
    if (single !== undefined || double !== undefined) return word(single ?? double!, 'quoted')
    if (date) return word(date, 'date')
    if (number) return word(number.replaceAll(/[$€£,%]/g, ''), 'number')
    return word(sign ?? text ?? whole, 'word')
  })
}

function word(text: string, kind: Word['kind']): Word {
  const lower = text.toLowerCase()
  return { text, lower, kind, stem: kind === 'word' ? singular(lower) : lower }
}

const SYNONYMS: Record<string, string[]> = {
  price: ['cost', 'price', 'unit_price', 'amount'],
  cost: ['cost', 'price', 'unit_price', 'amount'],
  revenue: ['total', 'amount', 'price'],
  sale: ['total', 'amount'],
  value: ['total', 'amount', 'price'],
  unit: ['quantity', 'qty'],
  item: ['quantity', 'qty'],
}

/** The column of a table that words from `at` name: its whole name, its last part (`price`), or a near synonym. */
export function columnAt(
  words: Word[],
  at: number,
  table: Table,
): { column: Column; to: number } | undefined {
  const first = words[at]
  if (!first || first.kind !== 'word') return undefined
  const whole = table.columns
    .map((column) => ({ column, parts: column.name.toLowerCase().split('_') }))
    .filter(({ parts }) => parts.every((part, index) => sameWord(words[at + index], part)))
    .toSorted((a, b) => b.parts.length - a.parts.length)[0]
  if (whole) return { column: whole.column, to: at + whole.parts.length }
  const exact = table.columns.find(({ name }) => name.toLowerCase() === first.lower)
  const tail = table.columns.filter(
    ({ name, references }) => !references && name.includes('_') && sameWord(first, name.split('_').at(-1)!),
  )
  const column = exact ?? (tail.length === 1 ? tail[0] : undefined) ?? synonym(first, table)
  return column && { column, to: at + 1 }
}

function synonym(word: Word, table: Table): Column | undefined {
  const names = Object.hasOwn(SYNONYMS, word.stem) ? SYNONYMS[word.stem]! : []
  return names
    .map((name) => table.columns.find((column) => column.name === name || column.name.startsWith(`${name}_`)))
    .find(Boolean)
}

function sameWord(word: Word | undefined, part: string): boolean {
  return word !== undefined && word.kind === 'word' && (word.lower === part || word.stem === singular(part))
}

/** Where a question names a table. A name of several parts (`order_items`) may stand as several words. */
export function tablesIn(words: Word[], tables: Table[]): { table: Table; from: number; to: number }[] {
  const byLength = tables.toSorted((a, b) => b.name.length - a.name.length)
  const found = []
  for (let at = 0; at < words.length;) {
    const hit = byLength
      .map((table) => ({ table, parts: table.name.toLowerCase().split('_') }))
      .map(({ table, parts }) =>
        sameWord(words[at], table.name.toLowerCase())
          ? { table, length: 1 }
          : { table, length: parts.every((part, i) => sameWord(words[at + i], part)) ? parts.length : 0 },
      )
      .find(({ length }) => length > 0)
    if (hit) found.push({ table: hit.table, from: at, to: at + hit.length })
    at += hit?.length ?? 1
  }
  return found
}

/** The column by which people know a row of the table: `name`, `title`, …, else its first text column, else its first. */
export function labelOf(table: Table): Column {
  const named = ['name', 'title', 'label', 'email', 'sku', 'code']
    .map((name) => table.columns.find((column) => column.name === name || column.name.endsWith(`_${name}`)))
    .find(Boolean)
  return named ?? table.columns.find(({ kind }) => kind === 'text') ?? table.columns[0]!
}

/** The column that a figure without a name is about: the first number that is not a key. */
export function measureOf(table: Table): Column | undefined {
  const numbers = table.columns.filter(
    ({ kind, name, references }) => kind === 'number' && !references && !/(^|_)id$/.test(name),
  )
  return numbers.find(({ name }) => /total|amount|price|cost|revenue/.test(name)) ?? numbers[0]
}

/** The column that says when a row came to be. */
export function timeOf(table: Table): Column | undefined {
  return table.columns.find(({ kind }) => kind === 'time')
}
