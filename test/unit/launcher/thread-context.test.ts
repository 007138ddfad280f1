import { expect, test } from 'vitest'
import type { FromHost, FromLauncher, Receipt, ToLauncher } from '#lib/wire'
import { ThreadContext } from '../../../services/launcher/thread-context.ts'

const START: Extract<ToLauncher, { t: 'start' }> = {
  t: 'start',
  context: 'a',
  limits: { heapMiB: 64, outputBytes: 1000, childProcess: false, worker: false },
}

/** A context whose thread is there and that an attempt has entered. */
async function setup() {
  const told: FromLauncher[] = []
  const entered = Promise.withResolvers<void>()
  const host = { pid: 7, uid: 8, enter: () => entered.resolve(), leave() {}, send() {}, kill() {} }
  const hosts = { take: async () => host } as any
  const context = new ThreadContext({ start: START, hosts, tell: (message) => told.push(message) })
  const starting = context.start()
  await entered.promise
  context.hear({ t: 'started', context: 'a', threadId: 1 })
  await starting
  await context.acquire({ t: 'acquire', context: 'a', memoryBytes: 64e6, timeoutMs: 1000, graceMs: 100 })
  const receipt = async (): Promise<Receipt> => {
    await context.ended
    return told.flatMap((message) => (message.t === 'ended' ? [message.receipt] : []))[0]!
  }
  return { context, receipt }
}
const ended = (outOfMemory: boolean) =>
  ({ t: 'ended', context: 'a', exitCode: 1, outOfMemory, cpuMs: 1, peakBytes: 2 }) as FromHost

test.each([
  ['released', true, 'out-of-memory'],
  ['released', false, 'released'],
  ['timeout', true, 'timeout'],
  [undefined, true, 'out-of-memory'],
  [undefined, false, 'exit'],
] as const)('I2: ended by us as %s, out of memory %s: the receipt says %s', async (by, outOfMemory, says) => {
  const { context, receipt } = await setup()
  if (by) context.end(by)
  context.hear(ended(outOfMemory))
  expect((await receipt()).endedBy).toBe(says)
})
