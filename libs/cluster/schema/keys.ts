import * as z from 'zod'
import { keyMeta } from './field.ts'
import { FileKeys } from './file.ts'

/** One key of the cluster file, for the table in the README. */
export interface ClusterKey {
  /** Keys from the top, joined by dots; `<name>` stands for a name that the operator chooses. */
  key: string
  type: string
  /** As it would be written; empty where nothing holds. `required` where the key must be there. */
  default: string
  meaning: string
}

/** Every key of the cluster file, in the order of the file, from the schema itself. */
export function clusterKeys(): ClusterKey[] {
  return keysOf(FileKeys, '')
}

function keysOf(schema: z.ZodObject, prefix: string): ClusterKey[] {
  return Object.entries(schema.shape).flatMap(([name, field]) => {
    const meta = keyMeta.get(field as z.ZodType)
    if (!meta) throw new Error(`the key ${prefix}${name} has no description`)
    const key = `${prefix}${name}`
    const fallback = meta.default ?? (field instanceof z.ZodOptional ? '' : 'required')
    const inner = bare(field as z.ZodType)
    const own = { key, type: meta.type, default: fallback, meaning: meta.meaning }
    if (inner instanceof z.ZodRecord)
      return [own, ...keysOf(bare(inner.valueType as z.ZodType) as z.ZodObject, `${key}.${meta.entry}.`)]
    return inner instanceof z.ZodObject ? [own, ...keysOf(inner, `${key}.`)] : [own]
  })
}

/** The schema that judges what a path leads to. */
export function schemaAt(path: readonly PropertyKey[]): z.ZodType | undefined {
  let schema: z.ZodType | undefined = FileKeys
  for (const key of path) {
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, z.ZodType>)[String(key)]
    else if (schema instanceof z.ZodRecord) schema = schema.valueType as z.ZodType
    else if (schema instanceof z.ZodArray) schema = schema.element as z.ZodType
    else return undefined
    schema = schema && bare(schema)
  }
  return schema
}

/** The schema inside `optional` and `preprocess`. */
function bare(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodOptional) return bare(schema.unwrap() as z.ZodType)
  return schema instanceof z.ZodPipe && schema.in instanceof z.ZodTransform
    ? bare(schema.out as z.ZodType)
    : schema
}
