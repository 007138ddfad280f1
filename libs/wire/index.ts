/**
 * What context, worker, launcher and sidecar say to each other: types and codecs. Imports no other lib.
 *
 * 1. A context loads no schema with it: what it says is judged by its worker, in libs/context.
 * 2. A frame is 4 bytes of length, big-endian, then that many bytes of JSON in UTF-8; a length above the limit is refused
 *    before its body is read.
 */
export type * from './broker.ts'
export { BROKER_CONNECTIONS, BROKER_ERROR_HEADER } from './broker.ts'
export {
  CONTEXT_FRAME_BYTES,
  deeperThan,
  encodeBytes,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameError,
  MAX_DEPTH,
  TRUSTED_FRAME_BYTES,
} from './frame.ts'
export { type FramedHandlers, FramedSocket } from './framed-socket.ts'
export type * from './host.ts'
export type * from './messages.ts'
export type * from './receipt.ts'
export type * from './redaction.ts'
export { REDACTION_FRAME_BYTES } from './redaction.ts'
