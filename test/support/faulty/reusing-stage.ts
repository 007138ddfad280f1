import { randomBytes } from 'node:crypto'
import type { Arrival } from '../../../libs/context/listener.ts'
import { loadFrames } from '../../../libs/context/load-frames.ts'
import { FramedSocket, openLauncher } from '#lib/context'
import type { FromContext, FromLauncher, ToContext } from '#lib/wire'
import type { Canary, CanaryEnd, Stage, StageOptions } from '../../../services/cli/verify/stage.ts'

/**
 * A pool as it must not be: its contexts are real, and each serves one attempt after the other. A receipt of it would
 * say so; this one says nothing, so only what canaries see can tell.
 */
export async function openReusingStage(options: StageOptions): Promise<Stage> {
  const { level, runtimeDir, entry, permissionModel } = options
  const launcher = await openLauncher({
    level,
    runtimeDir,
    entry,
    ...(permissionModel ? {} : { permissionModel }),
  })
  const contexts = await Promise.all(
    Array.from({ length: options.canaries }, async () => {
      const id = randomBytes(12).toString('hex')
      const { promise, resolve } = Promise.withResolvers<Arrival>()
      launcher.listener.expect(id, resolve)
      const context = new ReusedContext(id, options)
      launcher.listen(id, { hear: (message) => context.hear(message), gone: () => {} })
      launcher.send({
        t: 'start',
        context: id,
        limits: { heapMiB: 300, outputBytes: 100_000, childProcess: false, worker: false },
      })
      await context.load(await promise)
      const { memoryBytes, timeoutMs, graceMs } = options.limits
      launcher.send({ t: 'acquire', context: id, memoryBytes, timeoutMs, graceMs })
      return context
    }),
  )
  let next = 0
  return {
    launcherPid: launcher.pid,
    workerSocket: launcher.contextSocket,
    acquire: async () => contexts[next++ % contexts.length]!,
    [Symbol.asyncDispose]: () => launcher[Symbol.asyncDispose](),
  }
}

class ReusedContext implements Canary {
  readonly id: string
  readonly #bundle: StageOptions['bundle']
  readonly #said = { hello: Promise.withResolvers<void>(), loaded: Promise.withResolvers<void>() }
  #framed: FramedSocket | undefined
  #call: (message: Extract<FromContext, { t: 'call' }>) => void = () => {}
  #end: (end: CanaryEnd) => void = () => {}
  pid = 0

  constructor(id: string, { bundle }: StageOptions) {
    this.id = id
    this.#bundle = bundle
  }

  hear(message: FromLauncher): void {
    if (message.t === 'started') this.pid = message.pid
    if (message.t !== 'ended') return
    const { endedBy } = message.receipt
    const outcome = endedBy === 'timeout' ? 'timed-out' : endedBy === 'out-of-memory' ? endedBy : 'failed'
    this.#end({ outcome })
  }

  async load({ socket, rest }: Arrival): Promise<void> {
    this.#framed = new FramedSocket(socket, 2 ** 24, {
      message: (message) => this.#take(message as FromContext),
      close: () => {},
    })
    this.#framed.push(rest)
    socket.resume()
    await this.#said.hello.promise
    this.#framed.sendFrames(loadFrames(this.#bundle))
    await this.#said.loaded.promise
  }

  run: Canary['run'] = (attempt, on) => {
    const { promise, resolve } = Promise.withResolvers<CanaryEnd>()
    this.#end = resolve
    this.#call = ({ id, agentType, input }) =>
      void on.call!(agentType, input, undefined).then((value) =>
        this.#send({ t: 'reply', id, ok: true, value: value ?? null }),
      )
    this.#send({ t: 'run', ...attempt })
    return promise
  }

  #send(message: ToContext): void {
    this.#framed!.send(message)
  }

  #take(message: FromContext): void {
    if (message.t === 'hello') this.#said.hello.resolve()
    else if (message.t === 'loaded') this.#said.loaded.resolve()
    else if (message.t === 'call') this.#call(message)
    else if (message.t === 'result') this.#end({ outcome: 'completed', result: message.value })
    else if (message.t === 'failed') this.#end({ outcome: 'failed', error: message.error })
  }
}
