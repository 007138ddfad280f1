import { BodyTooLargeError } from './errors.ts'

/** Longest request body, bytes. */
export const REQUEST_BODY_BYTES = 4 * 2 ** 20
/** What of a body is kept to be sent again; a longer one is passed on as it comes, once. */
export const KEPT_BODY_BYTES = 256 * 2 ** 10

/** A body on its way out: bytes that can be sent again, or a stream that cannot. */
export type OutgoingBody = Uint8Array | AsyncIterable<Uint8Array>

/**
 * What comes in as a body: whole where it is short, else a stream that begins with what was read already. The source is
 * read as fast as the service takes it. @throws BodyTooLargeError, from the stream too
 */
export async function bodyFrom(source: AsyncIterable<Uint8Array>): Promise<OutgoingBody | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = source[Symbol.asyncIterator]()
  for (let next = await reader.next(); !next.done; next = await reader.next()) {
    chunks.push(next.value)
    bytes += next.value.length
    if (bytes > KEPT_BODY_BYTES) return limited(chunks, reader)
  }
  return bytes === 0 ? undefined : Buffer.concat(chunks)
}

async function* limited(
  begun: Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0
  for await (const chunk of joined(begun, rest)) {
    bytes += chunk.length
    if (bytes > REQUEST_BODY_BYTES) throw new BodyTooLargeError('request', REQUEST_BODY_BYTES)
    yield chunk
  }
}

async function* joined(begun: Uint8Array[], rest: AsyncIterator<Uint8Array>) {
  yield* begun
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
}
