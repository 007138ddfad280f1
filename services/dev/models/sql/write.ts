import type { Table } from './schema.ts'
import { joinsTo } from './joins.ts'
import type { Query, Ref } from './question.ts'

/** A query as one line of SQL. Columns carry their table's name once a second table is joined. */
export function writeSql(query: Query, tables: Table[]): string {
  const wanted = tablesOf(query)
  const joins = joinsTo(query.from, wanted, tables)
  const reached = new Set([query.from, ...joins.map(({ table }) => table)])
  const column = (ref: Ref) => (joins.length > 0 ? `${ref.table.name}.${ref.column.name}` : ref.column.name)
  const where = query.where
    .filter(({ table }) => reached.has(table))
    .map((condition) => `${column(condition)} ${condition.operator} ${condition.value}`)
  return [
    `SELECT ${selected(query, column, joins.length > 0)}`,
    `FROM ${query.from.name}`,
    ...joins.map(({ table, on }) => `JOIN ${table.name} ON ${on}`),
    ...(where.length > 0 ? [`WHERE ${where.join(' AND ')}`] : []),
    ...(query.groupBy ? [`GROUP BY ${column(query.groupBy)}`] : []),
    ...(query.order ? [`ORDER BY ${orderOf(query, column)}`] : []),
    ...(query.limit ? [`LIMIT ${query.limit}`] : []),
  ].join(' ')
}

function selected(query: Query, column: (ref: Ref) => string, joined: boolean): string {
  const named = [...(query.groupBy ? [query.groupBy] : []), ...query.columns].map(column)
  const aggregate = query.aggregate ? [aggregateOf(query, column)] : []
  const all = [...named, ...aggregate]
  if (all.length > 0) return all.join(', ')
  return joined ? `${query.from.name}.*` : '*'
}

function aggregateOf({ aggregate }: Query, column: (ref: Ref) => string): string {
  return aggregate?.of ? `${aggregate.name}(${column(aggregate.of)})` : 'COUNT(*)'
}

function orderOf(query: Query, column: (ref: Ref) => string): string {
  const { by, descending } = query.order!
  return `${by === 'aggregate' ? aggregateOf(query, column) : column(by)}${descending ? ' DESC' : ' ASC'}`
}

function tablesOf(query: Query): Table[] {
  const refs = [...query.columns, ...query.where, ...(query.groupBy ? [query.groupBy] : [])]
  const ordered = query.order && query.order.by !== 'aggregate' ? [query.order.by] : []
  return [...refs, ...ordered].map(({ table }) => table).filter((table) => table !== query.from)
}
