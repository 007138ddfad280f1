import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AttemptEvents } from '#lib/context'
import type { CanaryEnd, Stage, StageOptions } from './stage.ts'

/** Between the control's process and us. */
export type ToControl = { t: 'load'; code: string } | { t: 'run'; id: string; input: unknown } | Reply
interface Reply {
  t: 'reply'
  id: string
  call: number
  value: unknown
}
export type FromControl =
  | { t: 'call'; id: string; call: number; what: string; input: unknown }
  | { t: 'end'; id: string; end: CanaryEnd }

const MAIN = fileURLToPath(new URL('./control-process.ts', import.meta.url))

/**
 * The control: the same canaries, all in one plain Node process without any wall, which serves one request after the
 * other. What is not seen here proves nothing when it is not seen in a context.
 */
export async function openControl({
  bundle,
  brokerSocket,
}: Pick<StageOptions, 'bundle' | 'brokerSocket'>): Promise<Stage> {
  const child = fork(MAIN, [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const attempts = new Map<string, { on: AttemptEvents; resolve(end: CanaryEnd): void }>()
  const send = (message: ToControl) => child.connected && child.send(message)
  child.on('message', (message: FromControl) => {
    const attempt = attempts.get(message.id)
    if (message.t === 'end') return attempt?.resolve(message.end)
    const { id, call } = message
    const reply = (value: unknown) => send({ t: 'reply', id, call, value })
    attempt?.on.call?.(message.what, message.input, undefined).then(reply, () => reply(undefined))
  })
  const lost: CanaryEnd = { outcome: 'interrupted', error: { type: 'control', message: 'its process ended' } }
  child.once('exit', () => attempts.forEach((attempt) => attempt.resolve(lost)))
  send({ t: 'load', code: bundle.code })
  return {
    launcherPid: 0,
    workerSocket: brokerSocket,
    acquire: async () => ({
      id: 'control',
      pid: child.pid ?? 0,
      run({ request: { id }, input }, on, signal) {
        const { promise, resolve } = Promise.withResolvers<CanaryEnd>()
        signal.addEventListener('abort', () => resolve(lost))
        attempts.set(id, { on, resolve })
        send({ t: 'run', id, input })
        return promise
      },
    }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
