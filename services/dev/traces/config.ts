import * as z from 'zod'

/** The trace store's configuration: `TB_HOST`, `TB_PORT`, `TB_DATABASE_FILE`, `TB_TOKEN_FILE`. */
export const Config = z.object({
  host: z.string().default('127.0.0.1'),
  /** 0 takes a free one and announces it. */
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  databaseFile: z.string({ error: 'expected the path of the SQLite file' }),
  /** Holds the token that senders and readers show. */
  tokenFile: z.string({ error: 'expected the path of the file with the token' }),
})
