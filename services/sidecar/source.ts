import type { Socket } from 'node:net'
import { hostname } from 'node:os'

/** From socket(7). */
const SOL_SOCKET = 1
const SO_PEERCRED = 17
/** `struct ucred`: process, user, group, 32 bits each. */
const UCRED_BYTES = 12

type PeerOf = (descriptor: number) => { pid: number; uid: number } | undefined
let peerOf: PeerOf | undefined

/**
 * Where a request of a unix socket comes from, for the record: `<host> uid <user> pid <process>`. The kernel noted user and
 * process when the connection was opened, so neither is a claim; a process of another pid namespace is 0. The host alone
 * where Node has no `node:ffi`, for which it has no function of its own, or the connection is gone.
 */
export function sourceOf(socket: Socket): string {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null }
  const descriptor = handle?.fd ?? -1
  peerOf ??= openPeerOf()
  const peer = descriptor < 0 ? undefined : peerOf(descriptor)
  return peer ? `${hostname()} uid ${peer.uid} pid ${peer.pid}` : hostname()
}

function openPeerOf(): PeerOf {
  const ffi = openFfi()
  if (!ffi) return () => undefined
  const { functions } = ffi.dlopen(null, {
    getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
  })
  const found = Buffer.alloc(UCRED_BYTES)
  const length = Buffer.alloc(4)
  return (descriptor) => {
    length.writeUInt32LE(UCRED_BYTES)
    const [to, size] = [ffi.getRawPointer(found), ffi.getRawPointer(length)]
    if (functions.getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, to, size) !== 0) return undefined
    return { pid: found.readInt32LE(0), uid: found.readUInt32LE(4) }
  }
}

function openFfi() {
  try {
    return process.getBuiltinModule('node:ffi')
  } catch {
    return undefined
  }
}
