/** What a column holds, as far as its type or its name tells. */
export type ColumnKind = 'number' | 'text' | 'time' | 'boolean'

export interface Column {
  name: string
  kind: ColumnKind
  /** The table that a foreign key points to. */
  references?: { table: string; column: string }
}

export interface Table {
  name: string
  columns: Column[]
}

/** The tables that a text declares, and the text without them. */
export interface SchemaText {
  tables: Table[]
  rest: string
}

const CREATE = /create\s+table\s+(?:if\s+not\s+exists\s+)?(?:\w+\.)?["`]?(\w+)["`]?\s*\(/gi
const COMPACT =
  /(?:^[ \t]*(?:[-*][ \t]*)?(?:table[ \t]+)?([a-z_]\w*)[ \t]+|\b([a-z_]\w*))\(((?:[^()]|\([^()]*\))*)\);?/gim

/** Reads `CREATE TABLE` statements and `table(column, column)` lines out of a prompt. */
export function readSchema(text: string): SchemaText {
  const created = readCreateTables(text)
  const compact = readCompactTables(created.rest)
  const tables = [...created.tables, ...compact.tables]
  for (const table of tables) for (const column of table.columns) inferReference(column, table, tables)
  return { tables, rest: compact.rest }
}

function readCreateTables(text: string): SchemaText {
  const tables: Table[] = []
  let rest = ''
  let from = 0
  for (const match of text.matchAll(CREATE)) {
    if (match.index < from) continue
    const open = match.index + match[0].length
    const close = closingParenthesis(text, open)
    tables.push(tableOf(match[1]!, text.slice(open, close)))
    rest += text.slice(from, match.index)
    from = close + 1
  }
  return { tables, rest: (rest + text.slice(from)).replaceAll(/^\s*;\s*$/gm, '') }
}

function readCompactTables(text: string): SchemaText {
  const tables: Table[] = []
  const rest = text.replaceAll(COMPACT, (whole, apart: string, joined: string, body: string) => {
    if (!isColumnList(body)) return whole
    tables.push(tableOf(apart ?? joined, body))
    return ''
  })
  return { tables, rest }
}

/** A list of columns has at least two, each a word that a type or a reference may follow. */
function isColumnList(body: string): boolean {
  const parts = splitTopLevel(body)
  const column = /^[a-z_]\w*(?:\s*(?:->|:)\s*[\w. ()]+|\s+[a-z][\w. ()',=]*)?$/i
  return parts.length > 1 && parts.every((part) => column.test(part.trim()))
}

function tableOf(name: string, body: string): Table {
  const table: Table = { name, columns: [] }
  for (const part of splitTopLevel(body)) addPart(table, part.trim())
  return table
}

function addPart(table: Table, part: string): void {
  const key = /foreign\s+key\s*\(\s*"?(\w+)"?\s*\)\s*references\s+"?(\w+)"?\s*(?:\(\s*"?(\w+)"?)?/i.exec(part)
  if (key) {
    const column = table.columns.find((candidate) => candidate.name === key[1])
    if (column) column.references = { table: key[2]!, column: key[3] ?? 'id' }
    return
  }
  if (/^(primary|unique|check|constraint|foreign|exclude)\b/i.test(part)) return
  const found = /^"?([a-z_]\w*)"?\s*:?\s*(.*)$/is.exec(part)
  if (found) table.columns.push(columnOf(found[1]!, found[2]!))
}

function columnOf(name: string, type: string): Column {
  const reference = /(?:references|->)\s*"?(\w+)"?\s*(?:[.(]\s*"?(\w+)"?)?/i.exec(type)
  const column: Column = { name, kind: kindOfType(type) ?? kindOfName(name) }
  if (reference) column.references = { table: reference[1]!, column: reference[2] ?? 'id' }
  return column
}

function kindOfType(type: string): ColumnKind | undefined {
  if (/\b(timestamp|timestamptz|date|time|datetime)\b/i.test(type)) return 'time'
  if (/\bbool(ean)?\b/i.test(type)) return 'boolean'
  if (/\b(\w*int\d?|integer|numeric|decimal|real|double|float\d?|\w*serial|money|number)\b/i.test(type))
    return 'number'
  if (/\b(text|varchar|char|character|uuid|string|enum|citext)\b/i.test(type)) return 'text'
  return undefined
}

const NUMBER_WORDS =
  /(^|_)(id|price|total|amount|cost|quantity|qty|count|stock|age|score|rating|size|weight|height|year|cents|salary|balance|budget|revenue|number|points|hours|minutes|pages|population|capacity|distance|length|units)$/

function kindOfName(name: string): ColumnKind {
  if (/(^|_)(at|on|date|time|day|timestamp|since|until)$/.test(name)) return 'time'
  if (/^(is|has)_/.test(name)) return 'boolean'
  return NUMBER_WORDS.test(name) ? 'number' : 'text'
}

/** A column `customer_id` points to `customers(id)` where such a table is declared, said or not. */
function inferReference(column: Column, owner: Table, tables: Table[]): void {
  const stem = /^(\w+)_id$/.exec(column.name)?.[1]
  if (!stem || column.references) return
  const target = tables.find((table) => table !== owner && singular(table.name) === singular(stem))
  if (target?.columns.some(({ name }) => name === 'id'))
    column.references = { table: target.name, column: 'id' }
}

/** The singular of an English plural, by its ending. */
export function singular(word: string): string {
  const lower = word.toLowerCase()
  if (lower.endsWith('ies')) return `${lower.slice(0, -3)}y`
  if (/(ss|x|ch|sh|z)es$/.test(lower)) return lower.slice(0, -2)
  if (/(ss|us|is)$/.test(lower)) return lower
  return lower.replace(/s$/, '')
}

function splitTopLevel(body: string): string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const char of body) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (char === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += char
  }
  return [...parts, part].filter((text) => text.trim() !== '')
}

function closingParenthesis(text: string, open: number): number {
  let depth = 1
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')' && --depth === 0) return at
  }
  return text.length
}
