import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, generateText, type LanguageModel, streamText } from 'ai'
import { type Masker, maskJson } from '#lib/secrets'
import type { GenerateRequest, GenerateResult, StreamLine, ToolCall } from '#lib/wire'
import { BadBrokerRequestError, UpstreamError } from './errors.ts'
import { modelFetch } from './model-fetch.ts'
import { settingsFrom } from './model-settings.ts'
import { type CallLimits, type CarriedSecret, maskerOf, type Upstream } from './upstream.ts'

/** What stands where the SDK wants a key; the broker puts the real one in its place. */
const PLACEHOLDER = 'added-by-the-broker'
/** Above any model's context: a provider's count is believed up to here. */
const MOST_TOKENS = 10_000_000

globalThis.AI_SDK_LOG_WARNINGS = false

/** One question to a provider, with the secret that its key is. */
export interface ModelCall {
  upstream: Upstream
  provider: 'anthropic' | 'openai'
  secret: CarriedSecret
  request: GenerateRequest & { model: string }
  limits: CallLimits
}

/**
 * One answer of a model, through Anthropic Messages or OpenAI Chat Completions. It is asked once: whether to ask again is
 * the attempt's decision.
 * @throws UpstreamError, EgressRefusedError, AttemptLimitError, BadBrokerRequestError
 */
export async function callModel(call: ModelCall): Promise<GenerateResult> {
  try {
    const { text, response, finishReason, usage, toolCalls } = await generateText(settingsOf(call))
    const masker = maskerOf(call.secret)
    return withOutput(call, {
      text: masker.text(text),
      toolCalls: toolCalls.map((one) => toolCallOf(one, masker)),
      model: masker.text(response.modelId || call.request.model),
      finishReason,
      usage: usageOf(usage),
    })
  } catch (error) {
    throw explain(error, call.limits.signal)
  }
}

/**
 * The same as pieces: deltas, then one end. A value that is spread over several deltas is masked too, so text may be held
 * back while it looks like the beginning of one.
 * @throws the same as {@link callModel}, from the iteration
 */
export async function* streamModel(call: ModelCall): AsyncGenerator<StreamLine> {
  const masker = maskerOf(call.secret)
  const end: GenerateResult = {
    text: '',
    toolCalls: [],
    model: call.request.model,
    finishReason: 'unknown',
    usage: usageOf({}),
  }
  try {
    for await (const part of streamText({ ...settingsOf(call), onError: () => {} }).fullStream) {
      if (part.type === 'error') throw part.error
      if (part.type === 'text-delta') yield* delta(end, masker.push(Buffer.from(part.text)).toString())
      if (part.type === 'tool-call') end.toolCalls.push(toolCallOf(part, masker))
      if (part.type === 'finish-step') end.model = masker.text(part.response.modelId || end.model)
      if (part.type === 'finish') {
        end.finishReason = part.finishReason
        end.usage = usageOf(part.totalUsage)
      }
    }
  } catch (error) {
    throw explain(error, call.limits.signal)
  }
  call.limits.signal.throwIfAborted()
  yield* delta(end, masker.flush().toString())
  yield { end: withOutput(call, end) }
}

/** A model's own ids and names are masked like all that it says. */
function toolCallOf(
  { toolCallId, toolName, input }: { toolCallId: string; toolName: string; input: unknown },
  masker: Masker,
): ToolCall {
  return { id: masker.text(toolCallId), name: masker.text(toolName), input: maskJson(input, masker) }
}

/** The answer parsed, where it was to be JSON and is no call of a tool. */
function withOutput({ request }: ModelCall, result: GenerateResult): GenerateResult {
  if (!request.output || (result.toolCalls.length > 0 && result.text === '')) return result
  try {
    return { ...result, output: JSON.parse(result.text) }
  } catch {
    throw new UpstreamError('upstream-failed', 'the model did not answer with the JSON that was asked for')
  }
}

function* delta(end: GenerateResult, text: string): Generator<StreamLine> {
  if (text === '') return
  end.text += text
  yield { delta: text }
}

function settingsOf({ upstream, provider, secret, request, limits }: ModelCall) {
  const { model, system, prompt, messages, maxTokens, temperature } = request
  if ((prompt === undefined) === (messages === undefined))
    throw new BadBrokerRequestError('give either "prompt" or "messages"')
  return {
    model: modelOf(provider, model, {
      baseURL: apiBase(secret.egress.baseUrl),
      apiKey: PLACEHOLDER,
      fetch: modelFetch(upstream, secret, limits),
    }),
    ...(system !== undefined && { instructions: system }),
    ...settingsFrom(request),
    ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
    maxRetries: 0,
    abortSignal: limits.signal,
    telemetry: { isEnabled: false },
  }
}

interface ProviderSettings {
  baseURL: string
  apiKey: string
  fetch: typeof fetch
}

function modelOf(provider: 'anthropic' | 'openai', model: string, settings: ProviderSettings): LanguageModel {
  return provider === 'anthropic' ? createAnthropic(settings)(model) : createOpenAI(settings).chat(model)
}

/** The address that both SDKs want: with the version. A base-url that has a path of its own is taken as it is. */
function apiBase(baseUrl: string): string {
  return new URL(baseUrl).pathname === '/' ? `${baseUrl.replace(/\/$/, '')}/v1` : baseUrl
}

function usageOf(usage: { inputTokens?: number | undefined; outputTokens?: number | undefined }) {
  return { inputTokens: clamp(usage.inputTokens), outputTokens: clamp(usage.outputTokens) }
}

/** A count as a provider may claim it: whole, finite, not negative, not absurd. */
function clamp(count: number | undefined): number {
  return Number.isFinite(count) ? Math.min(MOST_TOKENS, Math.max(0, Math.trunc(count!))) : 0
}

/** What the SDK throws, as one of our errors; its own messages may quote the provider and stay here. */
function explain(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ('type' in cause && !APICallError.isInstance(cause)) return cause
  return new UpstreamError('upstream-failed', 'the model provider gave an answer that could not be read')
}
