import * as z from 'zod'

/**
 * How strong a context is, from the weakest: `thread`, `process`, `namespace`.
 * libs/wire and libs/client, which may import nothing, say it again as a type.
 */
export const Level = z.enum(['thread', 'process', 'namespace'])
export type Level = z.infer<typeof Level>
