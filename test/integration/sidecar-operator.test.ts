import { readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { existsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AuditLog, AuditUnavailableError } from '#lib/audit'
import type { OperatorAccess } from '#lib/http'
import { silentLog } from '#lib/runtime'
import { openOperatorSocket } from '../../services/sidecar/operator-socket.ts'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

const CREDENTIAL = 'credential-of-the-operator-0123'
let world: SidecarWorld
let access: OperatorAccess
let opened: AsyncDisposableStack
beforeEach(async () => {
  world = await openSidecarWorld()
  opened = new AsyncDisposableStack()
  access = { socket: join(world.folder, 'operator', 's.sock'), credentialFile: join(world.folder, 'op') }
  await writeFile(access.credentialFile, CREDENTIAL)
})
afterEach(async () => {
  await opened.disposeAsync()
  await world[Symbol.asyncDispose]()
})

/** The socket, with an audit log of its own. */
async function open(): Promise<string> {
  const file = join(world.folder, 'operator.log')
  await openWith(opened.use(await AuditLog.open({ file })))
  return file
}

async function openWith(audit: Pick<AuditLog, 'record'>): Promise<void> {
  const { cluster, reader, sidecar } = world
  const { revocations } = sidecar
  opened.use(await openOperatorSocket(access, { cluster, reader, audit, revocations, log: silentLog }))
}

interface Answer {
  status: number
  body: any
}

function ask(method: string, path: string, body?: unknown, credential = CREDENTIAL): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${credential}` }
    const sent = request({ socketPath: access.socket, method, path, headers }, (response) => {
      text(response).then((all) => resolve({ status: response.statusCode!, body: JSON.parse(all) }), reject)
    })
    sent.once('error', reject)
    sent.end(typeof body === 'string' ? body : body && JSON.stringify(body))
  })
}

const reveal = { action: 'reveal', secret: 'plain', generation: 1, operator: 'eve' }

describe("the operator's socket", () => {
  test('lies where its owner alone enters, answers who has the credential, and is gone at its end', async () => {
    await open()
    expect(statSync(join(world.folder, 'operator')).mode & 0o777).toBe(0o700)
    expect(statSync(access.socket).mode & 0o777).toBe(0o600)
    expect(await ask('POST', '/v1/acts', reveal, 'another')).toMatchObject({ status: 401 })
    expect(await ask('POST', '/v1/acts', reveal, '')).toMatchObject({ status: 401 })
    expect(await ask('POST', '/v1/acts', reveal)).toEqual({ status: 200, body: { recorded: true } })
    await opened.disposeAsync()
    opened = new AsyncDisposableStack()
    expect(existsSync(access.socket)).toBe(false)
  })

  test('a connection that says nothing does not keep the sidecar from ending', async () => {
    await open()
    const idle = connect(access.socket)
    await new Promise((resolve) => idle.once('connect', resolve))
    await opened.disposeAsync()
    opened = new AsyncDisposableStack()
    idle.destroy()
  })

  test('I8 an act is answered when it is on record, and refused when it cannot be', async () => {
    const log = await open()
    await ask('POST', '/v1/acts', reveal)
    expect(await readFile(log, 'utf8')).toContain('"action":"reveal"')
    await opened.disposeAsync()
    opened = new AsyncDisposableStack()
    await openWith({ record: () => Promise.reject(new AuditUnavailableError('operator.log')) })
    expect(await ask('POST', '/v1/acts', reveal)).toMatchObject({
      status: 503,
      body: { error: { type: 'audit-unavailable' } },
    })
    expect(await ask('POST', '/v1/refresh', { secret: 'plain', operator: 'eve' })).toMatchObject({
      status: 503,
    })
  })

  test('refresh reads for each agent type that may use the secret, and for no other', async () => {
    await open()
    const refreshed = await ask('POST', '/v1/refresh', { secret: 'plain', operator: 'eve' })
    expect(refreshed.body).toEqual({ readings: [{ agentType: 'writer', generation: 1 }] })
    const { body } = await ask('GET', '/v1/cache')
    expect(body.plain).toEqual([
      { agentType: 'writer', state: 'value', generation: 1, freshForMs: expect.any(Number) as number },
    ])
    expect(JSON.stringify(body)).not.toContain('canary')
    for (const secret of ['orders-db', 'orders-db-admin', 'unknown'])
      expect((await ask('POST', '/v1/refresh', { secret, operator: 'eve' })).body).toEqual({ readings: [] })
  })

  test.each<[string, string, unknown, number]>([
    ['GET', '/', undefined, 404],
    ['POST', '/v1/nothing', {}, 404],
    ['DELETE', '/v1/cache', undefined, 404],
    ['POST', '/v1/acts', 'no json', 400],
    ['POST', '/v1/acts', { ...reveal, action: 'grant' }, 400],
    ['POST', '/v1/acts', { ...reveal, outcome: 'denied' }, 400],
    ['POST', '/v1/acts', { ...reveal, generation: -1 }, 400],
    ['POST', '/v1/refresh', { secret: 'plain' }, 400],
    ['POST', '/v1/revocations', { target: {}, operator: 'eve', keepRunning: false, dryRun: false }, 400],
    [
      'POST',
      '/v1/revocations',
      { target: { trace: 'x' }, operator: 'e', keepRunning: true, dryRun: true },
      400,
    ],
    [
      'POST',
      '/v1/revocations',
      { target: { secret: 'x' }, operator: 'e', keepRunning: true, dryRun: true },
      404,
    ],
    ['POST', '/v1/refresh', { secret: 'x'.repeat(101), operator: 'eve' }, 400],
  ])('%s %s with %j is refused with %i and leaves nothing in the log', async (method, path, body, status) => {
    const log = await open()
    expect((await ask(method, path, body)).status).toBe(status)
    expect(await readFile(log, 'utf8')).toBe('')
  })
})
