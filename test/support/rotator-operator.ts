import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { json } from 'node:stream/consumers'
import { join } from 'node:path'
import { RotationView } from '#lib/rotation'
import * as z from 'zod'

/** Asks the rotator at its operator socket. */
export function askRotator(
  access: { socket: string; credentialFile: string },
  { method = 'GET', path = '/v1/rotations', body }: { method?: string; path?: string; body?: object } = {},
): Promise<{ status: number; body: any }> {
  const authorization = `Bearer ${readFileSync(access.credentialFile, 'utf8').trim()}`
  const headers = { authorization, ...(body && { 'content-type': 'application/json' }) }
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: access.socket, method, path, headers }, (response) => {
      json(response).then((parsed) => resolve({ status: response.statusCode ?? 0, body: parsed }), reject)
    })
    sent.once('error', reject)
    sent.end(body && JSON.stringify(body))
  })
}

/** The socket of a cluster that `up` has started. */
export function rotatorOf(data: string): { socket: string; credentialFile: string } {
  return JSON.parse(readFileSync(join(data, 'up.json'), 'utf8')).rotator
}

/** The rotation of the one secret with `rotate`. */
export async function viewRotation(data: string): Promise<RotationView> {
  const { body } = await askRotator(rotatorOf(data))
  return z.array(RotationView).parse(body)[0]!
}
