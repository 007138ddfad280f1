import type { AgentContext, AgentLog } from '#lib/agent'
import type { FromContext, RequestInfo } from '#lib/wire'
import type { Broker } from './broker.ts'
import type { Calls } from './calls.ts'
import { brokeredFetch } from './fetch.ts'
import { createModel } from './model.ts'
import type { Port } from './port.ts'
import { createSecrets } from './secrets.ts'
import type { Spans } from './spans.ts'

/** What an agent's context is made of. */
export interface Parts {
  request: RequestInfo
  signal: AbortSignal
  port: Port
  calls: Calls
  spans: Spans
  broker: Broker
  memory: unknown
}

/** `ctx`, as agent code is given it. */
export function createContext({ request, signal, port, calls, spans, broker, memory }: Parts): AgentContext {
  return {
    request,
    signal,
    memory,
    log: createLog(port),
    progress: (value) => port.send({ t: 'progress', value: value ?? null }),
    emit: (value) => port.send({ t: 'emit', value: value ?? null }),
    model: createModel(broker),
    fetch: (url, init) => brokeredFetch(broker, url, init),
    secrets: createSecrets(broker),
    call: (agentType, input) => calls.call(agentType, input),
    span: (name, fn) => spans.run(name, {}, fn),
  }
}

type Level = Extract<FromContext, { t: 'log' }>['level']

/** A line that cannot travel loses its fields, not its message. */
function createLog(port: Port): AgentLog {
  const at = (level: Level) => (fields: object, message: string) => {
    const line = { t: 'log' as const, level, message: message.slice(0, 10_000), atMs: Date.now() }
    try {
      port.send({ ...line, fields: fields as Record<string, unknown> })
    } catch (error) {
      port.send({ ...line, fields: { fieldsDropped: (error as Error).message } })
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
