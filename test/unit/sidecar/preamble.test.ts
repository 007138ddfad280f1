import { PassThrough } from 'node:stream'
import type { Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import { PREAMBLE_BYTES, PREAMBLE_MS, readPreamble } from '../../../services/sidecar/preamble.ts'

/** A stream in the place of a socket. */
const setup = (...chunks: string[]) => {
  const socket = new PassThrough()
  for (const chunk of chunks) socket.write(chunk)
  return socket as unknown as Socket & PassThrough
}
const LINE = '{"role":"context","context":"c-1"}\n'

test('the first line says who it is, and what follows stays unread', async () => {
  const socket = setup(`${LINE}GET / HTTP`)
  expect(await readPreamble(socket)).toEqual({ role: 'context', context: 'c-1' })
  expect(String(socket.read())).toBe('GET / HTTP')
})

test('a line may come in pieces', async () => {
  const socket = setup(LINE.slice(0, 9), LINE.slice(9))
  expect(await readPreamble(socket)).toEqual({ role: 'context', context: 'c-1' })
})

test.each([
  'no json\n',
  '{"role":"root"}\n',
  '{"role":"worker"}\n',
  '{"role":"context","context":""}\n',
  '{"role":"context","context":"../x"}\n',
  '{"role":"context","context":"c","credential":"both"}\n',
  'x'.repeat(PREAMBLE_BYTES),
  `{"role":"worker","credential":"${'x'.repeat(PREAMBLE_BYTES)}"}\n`,
])('%j is none', async (text) => expect(await readPreamble(setup(text))).toBeUndefined())

test('a connection that says nothing is given up after five seconds', async () => {
  vi.useFakeTimers()
  try {
    const preamble = readPreamble(setup('{"role"'))
    await vi.advanceTimersByTimeAsync(PREAMBLE_MS)
    expect(await preamble).toBeUndefined()
  } finally {
    vi.useRealTimers()
  }
})
