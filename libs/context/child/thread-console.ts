import type { Writable } from 'node:stream'
import type { FromThread } from '#lib/wire'

/** As much as a pipe holds. */
const WINDOW_BYTES = 65_536

/**
 * A thread's `process.stdout` and `process.stderr`: what is written waits until the host has taken it. Node's own would
 * keep the lines of code that never yields in the thread's heap. The streams stay lazy. `taken`: bytes, as one Int32.
 */
export function sendConsole(tell: (message: FromThread) => void, taken: Int32Array): void {
  let sent = 0
  const send = (stream: 'stdout' | 'stderr', text: string) => {
    tell({ t: 'output', stream, text })
    sent += Buffer.byteLength(text)
    for (let seen = Atomics.load(taken, 0); sent - seen > WINDOW_BYTES; seen = Atomics.load(taken, 0))
      Atomics.wait(taken, 0, seen)
  }
  for (const name of ['stdout', 'stderr'] as const) {
    let stream: Writable | undefined
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (stream ??= openStream((text) => send(name, text))),
    })
  }
}

function openStream(send: (text: string) => void): Writable {
  const { Writable: Stream } = process.getBuiltinModule('node:stream')
  const decoder = new TextDecoder()
  return new Stream({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      send(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
      done()
    },
  })
}
