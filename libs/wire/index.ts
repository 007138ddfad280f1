/** What context, worker, launcher and sidecar say to each other: types and codecs. Imports no other lib; a context loads no schema with it. */
export type * from './broker.ts'
export { BROKER_ERROR_HEADER } from './broker.ts'
export {
  CONTEXT_FRAME_BYTES,
  encodeFrame,
  type Frame,
  FrameDecoder,
  FrameError,
  TRUSTED_FRAME_BYTES,
} from './frame.ts'
export type * from './messages.ts'
