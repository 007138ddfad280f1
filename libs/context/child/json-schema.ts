import type { JsonSchema } from '#lib/wire'

interface JsonSchemaSource {
  toJSONSchema?(options: object): JsonSchema
  '~standard'?: { jsonSchema?: Record<'input' | 'output', (options: object) => JsonSchema> }
}

/** A schema of agent code as JSON Schema; null where there is none, or one that cannot say. */
export function jsonSchemaOf(schema: unknown, side: 'input' | 'output'): JsonSchema | null {
  const source = schema as JsonSchemaSource | undefined
  const plain = source?.toJSONSchema?.({ io: side, unrepresentable: 'any' })
  return plain ?? source?.['~standard']?.jsonSchema?.[side]({ target: 'draft-2020-12' }) ?? null
}
