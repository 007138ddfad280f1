import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildChildEntry } from '#lib/context'
import { encodeFrame, type Level } from '#lib/wire'
import { agentOf, levels, openWorld, type World } from '../support/contexts.ts'
import { descendants } from '../support/cluster.ts'
import { temporaryDirectory } from '../support/directory.ts'
import { aliveOf } from '../support/residue.ts'
import { isAlive, until } from '../support/tiny-service.ts'

const MAIN = fileURLToPath(new URL('../../services/launcher/main.ts', import.meta.url))
const level = levels.find((one) => one !== 'thread') as Level
const limits = { heapMiB: 64, outputBytes: 1000, childProcess: false, worker: false }
const MARK = '/tmp/tb-launcher-was-told'

/** A launcher as a worker starts it, with its control channel in the test's hands. */
interface Told extends AsyncDisposable {
  child: ChildProcess
  control: Socket
  /** Resolves with what ended it. */
  ended: Promise<number | string>
}

const folder = temporaryDirectory()
let neighbour: World
let entry: string
beforeAll(async () => {
  entry = await buildChildEntry()
  neighbour = await openWorld({ level, source: agentOf('return input.n') })
})
afterAll(async () => {
  await neighbour[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

async function launcher(): Promise<Told> {
  const contextSocket = join(folder.path, `${randomBytes(4).toString('hex')}.sock`)
  const contexts = createServer((socket) => socket.on('error', () => {}).resume()).listen(contextSocket)
  const apart = process.getuid!() === 0 ? ['unshare', '--mount', '--propagation', 'private'] : []
  const [file, ...args] = [...apart, process.execPath, '--disable-sigusr1', MAIN]
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  const control = child.stdio[3] as Socket
  control.on('error', () => {})
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const config = { t: 'config', level, contextSocket, entry, aliveTimeoutMs: 60_000 }
  control.write(encodeFrame(config))
  await once(control, 'data')
  return {
    child,
    control,
    ended,
    async [Symbol.asyncDispose]() {
      control.destroy()
      await ended
      contexts.close()
    },
  }
}

/** Asks for a context, and waits until there is one. */
async function untilStarted(control: Socket): Promise<void> {
  control.write(encodeFrame(start))
  let heard = ''
  while (!heard.includes('"t":"started"')) heard += String((await once(control, 'data'))[0])
}

const start = { t: 'start', context: 'a1', limits }
const frames: [what: string, bytes: Buffer][] = [
  ['random bytes', randomBytes(4096)],
  ['a frame that says it is of 4 GiB', Buffer.from('ffffffff7b', 'hex')],
  ['a frame that is no JSON', Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from('{"t')])],
  [
    'a second configuration',
    encodeFrame({ t: 'config', level, contextSocket: '/run/x', entry: 'x', aliveTimeoutMs: 1 }),
  ],
  ['a program to run', encodeFrame({ ...start, file: '/usr/bin/touch', args: [MARK] })],
  [
    'arguments for Node',
    encodeFrame({
      ...start,
      limits: { ...limits, execArgv: ['-e', `require('fs').writeFileSync('${MARK}','')`] },
    }),
  ],
  ['a uid', encodeFrame({ ...start, uid: 0 })],
  ['a socket to connect', encodeFrame({ ...start, brokerSocket: '/run/dbus/system_bus_socket' })],
  ['a path for a name', encodeFrame({ ...start, context: '../../tmp/tb-launcher-was-told' })],
  [
    'a heap that is a command line',
    encodeFrame({ ...start, limits: { ...limits, heapMiB: `64 -e ${MARK}` } }),
  ],
  ['a prototype', Buffer.from('0000002a', 'hex')],
  ['nothing that is known', encodeFrame({ t: 'exec', command: `touch ${MARK}` })],
]

describe('G6: a launcher takes no path, no program and no argument from its worker', () => {
  test.each(frames)('%s ends it with all that it started, and touches nobody else', async (_what, bytes) => {
    await using told = await launcher()
    await untilStarted(told.control)
    const started = descendants(told.child.pid!)
    told.control.write(bytes)
    told.control.end()
    expect(await told.ended).toBe(0)
    await until('all is gone', () => !started.some(isAlive))
    expect(existsSync(MARK)).toBe(false)
    expect(await neighbour.run({ n: 7 })).toMatchObject({ outcome: 'completed', result: 7 })
  })

  test('what concerns contexts that are not there does nothing at all', async () => {
    await using told = await launcher()
    for (const context of ['zz', 'a1', '0']) {
      told.control.write(encodeFrame({ t: 'end', context, by: 'released' }))
      told.control.write(
        encodeFrame({ t: 'acquire', context, memoryBytes: 2 ** 30, timeoutMs: 1, graceMs: 0 }),
      )
    }
    await untilStarted(told.control)
    expect(isAlive(told.child.pid!)).toBe(true)
  })

  test.runIf(process.getuid!() === 0)(
    'contexts that are ended while they start leave nothing (I2)',
    async () => {
      await using told = await launcher()
      const contexts = Array.from({ length: 20 }, (_, at) => `early-${at}`)
      let heard = ''
      told.control.on('data', (chunk: Buffer) => (heard += String(chunk)))
      for (const [at, context] of contexts.entries()) {
        const ends = () => heard.split('"t":"ended"').length - 1
        told.control.write(encodeFrame({ ...start, context }))
        // It is ended as soon as bubblewrap has made a process, most often before it has told of it.
        await until('there is a process', () => descendants(told.child.pid!).length > at % 3)
        told.control.write(encodeFrame({ t: 'end', context, by: 'released' }))
        await until('it has ended', () => ends() > at, 50_000)
      }
      const uids = [...heard.matchAll(/"uid":(\d+)/g)].map(([, uid]) => Number(uid))
      expect(new Set(uids).size).toBe(contexts.length)
      expect(uids.flatMap(aliveOf)).toEqual([])
      told.control.destroy()
      expect(await told.ended).toBe(0)
    },
  )
})
