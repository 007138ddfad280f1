import { createRequire } from 'node:module'
import { runInThisContext } from 'node:vm'
import type { FromControl, ToControl } from './control.ts'
import type { CanaryEnd } from './stage.ts'

/** The control's process: loads the canaries' bundle as a context does, and runs every attempt in itself. */

type Run = (input: unknown, ctx: { call(what: string, input: unknown): Promise<unknown> }) => Promise<unknown>
let run: Run
let calls = 0
const waiting = new Map<number, (value: unknown) => void>()
const send = (message: FromControl) => process.send!(message)

process.on('message', (message: ToControl) => {
  if (message.t === 'load') load(message.code)
  else if (message.t === 'reply') waiting.get(message.call)?.(message.value)
  else void attempt(message.id, message.input)
})
process.on('disconnect', () => process.exit())

function load(code: string): void {
  const module = { exports: {} as { agent: { run: Run } } }
  const wrapped = `(function (exports, require, module) {${code}\n})`
  const body = runInThisContext(wrapped) as (exports: object, require: unknown, module: object) => void
  body(module.exports, createRequire(import.meta.url), module)
  run = (input, ctx) => module.exports.agent.run(input, ctx)
}

async function attempt(id: string, input: unknown): Promise<void> {
  send({ t: 'end', id, end: await end(id, input) })
}

async function end(id: string, input: unknown): Promise<CanaryEnd> {
  const call = (what: string, value: unknown) => {
    const number = calls++
    send({ t: 'call', id, call: number, what, input: value })
    return new Promise<unknown>((resolve) => waiting.set(number, resolve))
  }
  try {
    return { outcome: 'completed', result: await run(input, { call }) }
  } catch (error) {
    return { outcome: 'failed', error: { type: 'control', message: String((error as Error).stack) } }
  }
}
