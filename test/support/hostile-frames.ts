/** Bytes that a context may put on its channel, and how an attempt that does so ends. */

const VIOLATION = ['failed', 'protocol-violation'] as const
const frame = (text: string | Buffer) => {
  const body = Buffer.from(text as string)
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}
const json = (value: unknown) => frame(JSON.stringify(value))
const length = (bytes: number) => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(bytes)
  return head
}

export const frames: Record<string, { bytes: Buffer; end: readonly [string, string] }> = {
  'node handle': { bytes: json({ cmd: 'NODE_HANDLE_ACK' }), end: VIOLATION },
  'node internal': { bytes: Buffer.from('{"cmd":"NODE_HANDLE","type":"net.Socket"}\n'), end: VIOLATION },
  'two gigabytes': { bytes: Buffer.concat([length(2 ** 31), Buffer.alloc(64)]), end: VIOLATION },
  'four gigabytes': { bytes: length(2 ** 32 - 1), end: VIOLATION },
  'one byte too large': { bytes: length(2 ** 20 + 1), end: VIOLATION },
  'depth bomb': { bytes: frame('['.repeat(100_000)), end: VIOLATION },
  'closed depth bomb': { bytes: frame('['.repeat(65) + ']'.repeat(65)), end: VIOLATION },
  'no JSON': { bytes: frame('hello'), end: VIOLATION },
  'empty frame': { bytes: frame(''), end: VIOLATION },
  'no UTF-8': { bytes: frame(Buffer.from([0xff, 0xfe, 0x22])), end: VIOLATION },
  null: { bytes: frame('null'), end: VIOLATION },
  'unknown message': { bytes: json({ t: 'become-root' }), end: VIOLATION },
  'extra key': { bytes: json({ t: 'progress', value: 1, trace: 'mine' }), end: VIOLATION },
  'own proto': { bytes: frame('{"t":"result","__proto__":{"t":"hello"}}'), end: VIOLATION },
  'a second hello': { bytes: json({ t: 'hello' }), end: VIOLATION },
  'a second start': { bytes: json({ t: 'started', atMs: 1 }), end: VIOLATION },
  'a span id that is none': {
    bytes: json({
      t: 'span',
      span: { name: 'x', spanId: 'x', parentSpanId: 'y', startMs: 1, endMs: 2, attributes: {} },
    }),
    end: VIOLATION,
  },
  'an error type of several words': {
    bytes: json({ t: 'failed', error: { type: 'completed: \n\u001b[2J', message: 'x' } }),
    end: VIOLATION,
  },
  'progress without a value': { bytes: json({ t: 'progress' }), end: VIOLATION },
  'half a frame, then silence': {
    bytes: Buffer.concat([length(100), Buffer.from('{')]),
    end: ['timed-out', 'timed-out'],
  },
}
