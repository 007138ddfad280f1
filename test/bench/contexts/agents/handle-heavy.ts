import { createAnthropic } from '@ai-sdk/anthropic'
import * as z from 'zod'

/** What agents really import: a schema library and a provider's SDK. Both are made at load and touched by each request. */
const Input = z.object({ holdMs: z.number() })
const model = createAnthropic({ apiKey: 'unused' })('claude-opus-4-5')

/** As the no-op's, with its input judged and a model at hand. */
export async function handle(input: { holdMs: number }): Promise<{ at: number; model: string }> {
  const at = performance.timeOrigin + performance.now()
  const { holdMs } = Input.parse(input)
  if (holdMs > 0) await new Promise((resolve) => setTimeout(resolve, holdMs))
  return { at, model: model.modelId }
}
