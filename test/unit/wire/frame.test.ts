import { describe, expect, test } from 'vitest'
import { CONTEXT_FRAME_BYTES, encodeBytes, encodeFrame, FrameDecoder, FrameError } from '#lib/wire'

const decoder = () => new FrameDecoder(CONTEXT_FRAME_BYTES)

const nested = (depth: number) => Buffer.from('['.repeat(depth) + ']'.repeat(depth))
const frame = (body: Buffer) => {
  const head = Buffer.alloc(4)
  head.writeUInt32BE(body.length)
  return Buffer.concat([head, body])
}

describe('frames', () => {
  test('messages come out whole wherever the stream is cut', () => {
    const messages = [{ t: 'hello' }, { a: 'ä'.repeat(300) }, [], 0, 'x']
    const bytes = Buffer.concat(messages.map(encodeFrame))
    for (const size of [1, 2, 3, 5, 7, 64, bytes.length]) {
      const into = decoder()
      const out: unknown[] = []
      for (let at = 0; at < bytes.length; at += size)
        out.push(...into.push(bytes.subarray(at, at + size)).map(({ message }) => message))
      expect(out).toEqual(messages)
    }
  })

  test('a length past the limit is refused before its bytes come', () => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(CONTEXT_FRAME_BYTES + 1)
    expect(() => decoder().push(head)).toThrow(FrameError)
    expect(() => decoder().push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow('frame of 4294967295 bytes')
  })

  test('nesting is counted outside of strings only', () => {
    expect(decoder().push(frame(nested(64)))).toHaveLength(1)
    expect(() => decoder().push(frame(nested(65)))).toThrow(FrameError)
    expect(decoder().push(encodeFrame({ text: `"\\${'['.repeat(500)}` }))).toHaveLength(1)
  })

  test('random bytes give messages or a FrameError, nothing else', () => {
    let seed = 42
    const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31)
    for (let round = 0; round < 2000; round++) {
      const into = decoder()
      const bytes = Buffer.from(Array.from({ length: 40 }, () => random() >> 16))
      bytes.writeUInt32BE(random() % 30)
      try {
        into.push(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError)
      }
    }
  })
})

describe('a frame of bytes', () => {
  const frames = Buffer.concat([encodeBytes(Buffer.from('{"no": json')), encodeFrame({ t: 'after' })])

  test('comes as it is, however it is cut, where bytes are taken', () => {
    for (let at = 1; at < frames.length; at++) {
      const taking = new FrameDecoder(CONTEXT_FRAME_BYTES, true)
      const found = [...taking.push(frames.subarray(0, at)), ...taking.push(frames.subarray(at))]
      expect(found.map(({ message }) => (Buffer.isBuffer(message) ? message.toString() : message))).toEqual([
        '{"no": json',
        { t: 'after' },
      ])
    }
  })

  test('is refused by length everywhere else', () => {
    expect(() => decoder().push(frames)).toThrow(FrameError)
  })

  test('is no longer than any other', () => {
    const small = new FrameDecoder(8, true)
    expect(() => small.push(encodeBytes(Buffer.alloc(9)))).toThrow(FrameError)
  })
})
