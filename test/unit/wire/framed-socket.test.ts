import { Socket } from 'node:net'
import { encodeFrame, FramedSocket } from '#lib/wire'
import { expect, test } from 'vitest'

/** A socket that leads nowhere, what its handler throws at the second message, and what its end was told of. */
function setup() {
  const socket = new Socket()
  const ends: (string | undefined)[] = []
  let messages = 0
  const framed = new FramedSocket(socket, 1000, {
    message() {
      if (++messages === 2) throw new Error('one too many')
    },
    close: (error) => ends.push(error?.message),
  })
  return { socket, framed, ends, count: () => messages }
}

test('what a handler threw is told at once, before any other event, and once', async () => {
  const { socket, framed, ends, count } = setup()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  framed.push(Buffer.concat([1, 2, 3].map((number) => encodeFrame({ number }))))
  expect(ends).toEqual(['one too many'])
  await closed
  framed.destroy(new Error('later'))
  framed.push(encodeFrame({ number: 4 }))
  expect([ends, count()]).toEqual([['one too many'], 2])
})

test('a frame that is none is told at once, too; an end without a fault when the socket is closed', async () => {
  const broken = setup()
  broken.framed.push(Buffer.from([255, 255, 255, 255]))
  expect(broken.ends).toEqual([expect.any(String)])
  const { socket, framed, ends } = setup()
  framed.destroy()
  expect(ends).toEqual([])
  await new Promise((resolve) => socket.once('close', resolve))
  expect(ends).toEqual([undefined])
})
