import { writeSync, closeSync } from 'node:fs'
import { everywhere, type Hostile, walled } from './hostile.ts'

const never = new Promise(() => {})
const FRAMES = everywhere('failed protocol-violation')

const head = (length: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}
const frame = (text: string) => Buffer.concat([head(Buffer.byteLength(text)), Buffer.from(text)])

/** The descriptor of the channel: 3 in a process of its own, any in a thread. */
const descriptor = () =>
  (process as any)
    ._getActiveHandles()
    .find((one: any) => one.constructor.name === 'Socket' && one._handle?.fd > 2)._handle.fd as number

/** All of it on the channel: what the worker does not take any more is written all the same. */
function say(...pieces: Buffer[]): Promise<unknown> {
  try {
    const fd = descriptor()
    for (const piece of pieces) for (let at = 0; at < piece.length;) at += write(fd, piece.subarray(at))
  } catch {}
  return never
}

function write(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

/** The same numbers on every machine. */
function* noise(seed: number): Generator<number> {
  for (;;) yield (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1)
}

function randomFrames(count: number): Buffer[] {
  const random = noise(7)
  const next = () => random.next().value as number
  return Array.from({ length: count }, () => {
    const body = Buffer.from(Array.from({ length: next() % 64 }, () => next() >> 8))
    return Buffer.concat([head(body.length), body])
  })
}

const IMITATIONS = [
  { cmd: 'NODE_HANDLE', type: 'net.Socket' },
  { cmd: 'NODE_HANDLE_ACK' },
  { cmd: 'NODE_HANDLE_NACK' },
  { cmd: 'NODE_CLUSTER', act: 'exit' },
  { cmd: 'NODE_SOCKET_NOTIFY_CLOSE' },
]
/** As Node's own channel has them, lines without a length; and in frames of ours. */
const imitations = Array.from({ length: 10_000 }, (_, at) => JSON.stringify(IMITATIONS[at % 5]))

/** Attempts that speak to the worker in their own way. */
export const channel: Hostile[] = [
  { name: '10,000 random frames', attack: () => say(...randomFrames(10_000)), ends: FRAMES },
  {
    name: '10,000 frames like Node’s own',
    attack: () => say(...imitations.map(frame)),
    ends: FRAMES,
  },
  {
    name: '10,000 lines like Node’s own',
    attack: () => say(...imitations.map((line) => Buffer.from(`${line}\n`))),
    ends: FRAMES,
  },
  {
    name: '10,000 messages to the parent by process.send',
    attack() {
      for (const line of imitations) process.send?.(JSON.parse(line))
      return 'fine'
    },
    ends: everywhere('completed "fine"'),
  },
  { name: 'an oversized frame', attack: () => say(head(2 ** 32 - 1), Buffer.alloc(2 ** 20)), ends: FRAMES },
  { name: 'a deep frame', attack: () => say(frame('['.repeat(500_000))), ends: FRAMES },
  {
    name: 'a result that is deep where only a parser looks',
    attack: () => say(frame(`{"t":"result","value":${'['.repeat(65)}${']'.repeat(65)}}`)),
    ends: FRAMES,
  },
  {
    name: 'half a frame, then silence',
    attack: () => say(head(100), Buffer.from('{"t":')),
    ends: everywhere('timed-out'),
  },
  {
    name: 'half a frame, then the end',
    attack() {
      void say(head(100), Buffer.from('{"t":'))
      process.exit(0)
    },
    ends: everywhere('failed exited'),
  },
  {
    name: 'a channel that is closed',
    attack() {
      closeSync(descriptor())
      return never
    },
    // In a thread the descriptor is its host's to close.
    ends: walled('not promised', 'failed crashed', 'failed exited'),
  },
  {
    name: 'a frame a byte at a time, and 2,000 more after the last word',
    attack() {
      const bytes = frame('{"t":"result","value":"mine"}')
      return say(...Array.from(bytes, (byte) => Buffer.of(byte)), ...randomFrames(2000))
    },
    // Whether the last word was read alone, or with the garbage behind it, is chance.
    ends: everywhere('completed "mine"', 'failed protocol-violation'),
  },
  {
    name: 'an attempt that says it has failed, in words of its own',
    attack: () => say(frame(JSON.stringify({ t: 'failed', error: { type: '\u001b[2J', message: 'x' } }))),
    ends: FRAMES,
  },
]
