import * as z from 'zod'

/** Configuration of the stand-in model provider. */
export const Config = z.object({
  /** The stand-in exists for development: it does not start in environment `production`. */
  environment: z
    .string()
    .default('dev')
    .refine((name) => name !== 'production', 'a stand-in model provider does not run in production'),
  host: z.string().default('127.0.0.1'),
  /** 0: any free port. */
  port: z.coerce.number().int().min(0).max(65_535).default(0),
  /** JSON `{anthropic, openai, openai-admin}`, each a list: the keys that are accepted from the beginning. */
  keysFile: z.string(),
  /** Where keys are kept that are made by calls. Default: in memory. */
  stateFile: z.string().optional(),
})
