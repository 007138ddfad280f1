import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Hears which address a request is sent to: `address:port`, as it is dialled. */
export type Dialled = (address: string) => void

/** Who wants to hear of the request that is made right now. Requests are made within the call that asks for them. */
let asking: Dialled | undefined
const waiting = new WeakMap<object, Dialled>()

subscribe('undici:request:create', (message) => {
  if (asking) waiting.set((message as { request: object }).request, asking)
})
subscribe('undici:client:sendHeaders', (message) => {
  const { request, socket } = message as { request: object; socket: Socket }
  waiting.get(request)?.(addressOf(socket))
})

/** Makes a request of undici's and tells where it goes. Its connections are shared, so that only undici knows. */
export function tellingDialled<T>(dialled: Dialled | undefined, request: () => Promise<T>): Promise<T> {
  asking = dialled
  try {
    return request()
  } finally {
    asking = undefined
  }
}

/** What a connection leads to: an address and port, or nothing known of a unix socket. */
export const addressOf = ({ remoteAddress = '', remotePort = 0 }: Socket): string =>
  remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`
