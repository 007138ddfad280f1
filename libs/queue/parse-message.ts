import type * as z from 'zod'

/** What a text on a channel or in a stream says; undefined when it is not of this schema: whoever may write there wrote it. */
export function parseMessage<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
