import { once } from 'node:events'
import { chmod, mkdir, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { hashCredential, isSameHash, type Log, onDispose, readCredential } from '#lib/runtime'
import * as z from 'zod'
import { bearerOf } from './bearer.ts'

/** Where operators ask a service: a socket in a folder that nobody else enters, and the file with what they present. */
export const OperatorAccess = z.object({ socket: z.string(), credentialFile: z.string() })
export type OperatorAccess = z.infer<typeof OperatorAccess>

/**
 * Serves operators, who present the credential with each request (401 for all others); nobody where there is no access.
 * Disposal cuts what is in flight.
 */
export async function listenForOperators(
  access: OperatorAccess | undefined,
  { serve, log }: { serve: (request: IncomingMessage, response: ServerResponse) => unknown; log: Log },
): Promise<AsyncDisposable> {
  if (!access) return onDispose(() => {})
  const credential = hashCredential(readCredential(access.credentialFile))
  const server = createServer((request, response) => {
    const presented = bearerOf(request.headers.authorization) ?? ''
    if (isSameHash(credential, hashCredential(presented))) serve(request, response)
    else {
      log.warn({}, 'operator with a wrong credential refused')
      const error = { type: 'unauthorized', message: 'wrong credential' }
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
    }
  })
  await mkdir(dirname(access.socket), { recursive: true, mode: 0o700 })
  await rm(access.socket, { force: true })
  server.listen({ path: access.socket })
  await once(server, 'listening')
  await chmod(access.socket, 0o600)
  return onDispose(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
}
