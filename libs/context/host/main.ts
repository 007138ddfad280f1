import { Socket } from 'node:net'
import { FramedSocket, type FromHost, type ToHost, TRUSTED_FRAME_BYTES } from '#lib/wire'
import { ContextThread } from './thread.ts'

/**
 * A thread host: one process that holds a worker's contexts of level thread, each a worker thread of its own. It does
 * what its launcher says and runs no agent code on its first thread, so that it always answers.
 */

const CONTROL_FD = 3
const threads = new Map<string, ContextThread>()
let host: Extract<ToHost, { t: 'host' }> | undefined

// A thread in native code would hold up every orderly exit.
const leave = () => process.kill(process.pid, 'SIGKILL')
const control = new FramedSocket(
  new Socket({ fd: CONTROL_FD, readable: true, writable: true }),
  TRUSTED_FRAME_BYTES,
  { message: (message) => take(message as ToHost), close: leave },
)

function take(message: ToHost): void {
  if (message.t === 'host') host = message
  else if (message.t === 'start') start(message)
  else if (message.t === 'acquire') threads.get(message.context)?.acquire(message.memoryBytes)
  else void threads.get(message.context)?.end()
}

function start({ context, heapMiB }: Extract<ToHost, { t: 'start' }>): void {
  try {
    threads.set(context, new ContextThread({ context, heapMiB, host: host!, tell }))
  } catch (error) {
    tell({ t: 'start-failed', context, message: (error as Error).message })
    tell({ t: 'ended', context, exitCode: 1, outOfMemory: false, cpuMs: null, peakBytes: null })
  }
}

function tell(message: FromHost): void {
  if (message.t === 'ended') threads.delete(message.context)
  control.send(message)
}
