import type { Socket } from 'node:net'
import type { Preamble } from '#lib/wire'
import * as z from 'zod'

/** Longest first line, bytes. */
export const PREAMBLE_BYTES = 1024
/** How long a connection may take to say who it is. */
export const PREAMBLE_MS = 5000

const name = z.string().regex(/^[\w.-]{1,100}$/)
const credential = z.string().min(1).max(900)
const PreambleLine = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('context'), context: name }),
  z.strictObject({ role: z.literal('worker'), credential }),
  z.strictObject({ role: z.literal('redaction'), credential, link: name }),
])

/** The first line on a connection; undefined when it is none, too long or too late. What follows it stays unread. */
export async function readPreamble(socket: Socket, timeoutMs = PREAMBLE_MS): Promise<Preamble | undefined> {
  const line = await firstLine(socket, timeoutMs)
  if (line === undefined) return undefined
  try {
    return PreambleLine.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

function firstLine(socket: Socket, timeoutMs: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  let seen = Buffer.alloc(0)
  const settle = (line: string | undefined) => {
    clearTimeout(timer)
    socket.pause().off('data', read).off('close', close)
    resolve(line)
  }
  const close = () => settle(undefined)
  const read = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    const end = seen.indexOf(0x0a)
    if (end < 0 ? seen.length >= PREAMBLE_BYTES : end >= PREAMBLE_BYTES) return settle(undefined)
    if (end < 0) return
    const rest = seen.subarray(end + 1)
    settle(seen.subarray(0, end).toString())
    if (rest.length > 0) socket.unshift(rest)
  }
  const timer = setTimeout(() => settle(undefined), timeoutMs)
  socket.on('data', read).on('close', close)
  return promise
}
