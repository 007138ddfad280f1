import type { ToContext } from '#lib/wire'
import type { LoadedAgent } from './agent.ts'
import { Broker } from './broker.ts'
import { Calls } from './calls.ts'
import { createContext } from './create-context.ts'
import type { Doors } from './doors.ts'
import { type Port, UnfitMessage, wireError } from './port.ts'
import { Spans } from './spans.ts'

/** The attempt that has entered. */
export interface RunningAttempt {
  abort(reason: string): void
  reply(message: Extract<ToContext, { t: 'reply' }>): void
  /** Ends it by an error that no one caught. */
  fail(error: unknown): void
}

type Run = Extract<ToContext, { t: 'run' }>

/** What an attempt speaks through. */
export interface Outside {
  port: Port
  doors: Doors
}

/** Runs the agent on one input; its result or failure goes out on the port. */
export function runAttempt(agent: LoadedAgent, message: Run, outside: Outside): RunningAttempt {
  const { port } = outside
  const stop = new AbortController()
  const spans = new Spans(message.traceparent, port)
  const calls = new Calls(port, agent.AgentCallError, () => spans.spanId())
  const fail = (error: unknown) =>
    port.send({ t: 'failed', error: wireError(error), ...(isPermanent(error) ? { permanent: true } : {}) })
  port.send({ t: 'started', atMs: Date.now() })
  invoke(agent, message, { ...outside, calls, spans, signal: stop.signal }).catch(fail)
  return {
    abort: (reason) =>
      stop.abort(
        Object.assign(new Error(`attempt aborted: ${reason}`), { name: 'AbortError', type: reason }),
      ),
    reply: (reply) => calls.reply(reply),
    fail,
  }
}

function isPermanent(thrown: unknown): boolean {
  try {
    return (thrown as { permanent?: unknown } | null)?.permanent === true
  } catch {
    return false
  }
}

interface Around extends Outside {
  calls: Calls
  spans: Spans
  signal: AbortSignal
}

async function invoke(
  agent: LoadedAgent,
  message: Run,
  { port, doors, calls, spans, signal }: Around,
): Promise<void> {
  const { request, memory } = message
  const broker = new Broker(agent.BrokerError, doors, () => spans.traceparent())
  const ctx = createContext({ request, signal, port, calls, spans, broker, memory })
  const attributes = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': request.agentType }
  const value = await spans.run(`invoke_agent ${request.agentType}`, attributes, async () => {
    const input = agent.parse('input', message.input)
    return agent.parse('output', await agent.run(input, ctx))
  })
  const kept = ctx.memory === undefined ? {} : { memory: ctx.memory }
  send(port, { t: 'result', value: value ?? null, ...kept })
}

function send(port: Port, result: Parameters<Port['send']>[0]): void {
  try {
    port.send(result)
  } catch (cause) {
    const type = cause instanceof UnfitMessage ? cause.type : 'invalid-output'
    throw Object.assign(new Error((cause as Error).message, { cause }), { type, permanent: true })
  }
}
