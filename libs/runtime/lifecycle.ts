import { Socket } from 'node:net'

/** Descriptor of the supervisor's pipe: readiness goes out on it, and its end means that the supervisor is gone. */
const SUPERVISOR_FD = 3
let supervisor: Socket | undefined

/**
 * Tells the supervisor that the service is ready, with the facts it announces (`url`, for example): for signals as well,
 * so {@link untilSignal} is called before.
 * Without a supervisor (`TB_SUPERVISED` unset, as in a container) it does nothing.
 */
export function announceReady(facts: Record<string, unknown> = {}): void {
  supervisorPipe()?.write(`${JSON.stringify({ ready: true, ...facts })}\n`)
}

/**
 * Resolves with the first SIGINT or SIGTERM, or `supervisor-gone` when the supervisor's end of the pipe closes.
 * The second signal exits at once with 130. Holds a handle, so that awaiting it keeps Node alive; so whatever else ends
 * the service is given as `orEnd`, since a race outside would leave the handle held and the process alive.
 */
export async function untilSignal(orEnd?: Promise<string>): Promise<string> {
  const hold = setInterval(() => {}, 2 ** 30)
  const { promise, resolve } = Promise.withResolvers<string>()
  let stopping = false
  const stop = (reason: string) => {
    if (stopping) process.exit(130)
    stopping = true
    resolve(reason)
  }
  void orEnd?.then((reason) => !stopping && stop(reason))
  process.on('SIGINT', () => stop('SIGINT'))
  process.on('SIGTERM', () => stop('SIGTERM'))
  supervisorPipe()?.once('close', () => !stopping && stop('supervisor-gone'))
  return promise.finally(() => clearInterval(hold))
}

/** Disposes what it is given when the scope ends: `await using _ = onDispose(() => server.close())`. */
export function onDispose(dispose: () => Promise<void> | void): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      await dispose()
    },
  }
}

function supervisorPipe(): Socket | undefined {
  if (!process.env['TB_SUPERVISED']) return undefined
  if (!supervisor) {
    supervisor = new Socket({ fd: SUPERVISOR_FD, readable: true, writable: true })
    supervisor
      .on('error', () => {})
      .resume()
      .unref()
  }
  return supervisor
}
