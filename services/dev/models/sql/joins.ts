import type { Table } from './schema.ts'

/** One step along a foreign key. */
export interface Join {
  table: Table
  on: string
}

/** The joins that reach every wanted table from the first, along foreign keys in both directions; unreachable ones are left out. */
export function joinsTo(from: Table, wanted: Table[], tables: Table[]): Join[] {
  const joined = new Set([from])
  const joins: Join[] = []
  for (const target of wanted) {
    for (const step of pathTo(from, target, tables)) {
      if (joined.has(step.table)) continue
      joined.add(step.table)
      joins.push(step)
    }
  }
  return joins
}

/** True when foreign keys connect the two. */
export function isReachable(from: Table, to: Table, tables: Table[]): boolean {
  return from === to || pathTo(from, to, tables).length > 0
}

function pathTo(from: Table, target: Table, tables: Table[]): Join[] {
  const paths: { at: Table; steps: Join[] }[] = [{ at: from, steps: [] }]
  const seen = new Set([from])
  for (let path = paths.shift(); path; path = paths.shift()) {
    if (path.at === target) return path.steps
    for (const step of stepsFrom(path.at, tables)) {
      if (seen.has(step.table)) continue
      seen.add(step.table)
      paths.push({ at: step.table, steps: [...path.steps, step] })
    }
  }
  return []
}

function stepsFrom(table: Table, tables: Table[]): Join[] {
  return tables.flatMap((other) => [...keys(table, other, other), ...keys(other, table, other)])
}

/** Foreign keys of `holder` that point to `target`, as joins that bring in `added`. */
function keys(holder: Table, target: Table, added: Table): Join[] {
  return holder.columns
    .filter(({ references }) => references?.table.toLowerCase() === target.name.toLowerCase())
    .map((column) => ({
      table: added,
      on: `${holder.name}.${column.name} = ${target.name}.${column.references!.column}`,
    }))
}
