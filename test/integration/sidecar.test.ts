import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { issueWrappedSecretId, isVaultError } from '#lib/vault'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSidecarWorld, type SidecarWorld } from '../support/sidecar-world.ts'

let world: SidecarWorld
beforeAll(async () => {
  world = await openSidecarWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const refused = (error: unknown) => isVaultError(error, 'denied')

describe('the sidecar itself', () => {
  test('I5: its own token gets 403 on every secret path', async () => {
    const { client, names, cluster } = world
    const { roleId, wrapped } = await issueWrappedSecretId(client, world.rootToken, {
      cluster: 'test',
      environment: 'dev',
    })
    const { secret_id: secretId } = await client.unwrap(wrapped.token)
    const { token } = await client.approleLogin({ roleId, secretId: String(secretId) })
    for (const secret of Object.keys(cluster.secrets)) {
      expect(await client.kvRead(token, names.secret(secret)).then(() => false, refused), secret).toBe(true)
      expect(await client.dbCreds(token, names.credentials(secret)).then(() => false, refused), secret).toBe(
        true,
      )
    }
  })

  test('the wrapping token is deleted once it was used', () =>
    expect(existsSync(world.identityFiles.secretIdFile)).toBe(false))

  test('a preamble and a request in one write are both read', async () => {
    const socket = connect(world.socketOf('writer'))
    socket.write(
      '{"role":"context","context":"one-write"}\nGET /v1/secrets/plain HTTP/1.1\r\nhost: x\r\n\r\n',
    )
    expect(String(await new Promise((resolve) => socket.once('data', resolve)))).toMatch(
      /^HTTP\/1.1 403[^]*no-grant/,
    )
    socket.destroy()
  })

  test('I2: a request before the answer to the last one costs the connection, and nothing is read on it', async () => {
    const { context, end } = await world.granted('writer')
    const body = '{"prompt":"Hello."}'
    const head = `POST /v1/model/generate HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`
    const [piped, other] = context.sockets as [Socket, Socket]
    let answered = ''
    piped.on('data', (chunk) => (answered += String(chunk)))
    piped.write(`${head}${body}`.repeat(50))
    await once(piped, 'close')
    expect(answered).toBe('')
    other.write(`${head}${body}`)
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1.1 200/)
    other.write(`${head}${body}`)
    expect(String((await once(other, 'data'))[0])).toMatch(/^HTTP\/1.1 200/)
    await end()
  })

  test('I7: no value is in the audit log, nor in Redis, after each way of using one', async () => {
    const { context, end } = await world.granted('writer')
    const base = world.cluster.secrets['web']!.egress!.baseUrl
    const answers = [
      await context.ask('GET', '/v1/secrets/plain'),
      await context.ask('POST', '/v1/model/generate', { prompt: '[[stand-in:echo-key]]' }),
      await context.ask('GET', '/v1/fetch', undefined, { 'x-tb-url': `${base}/v1/models` }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    await end()
    const audit = await readFile(join(world.folder, 'audit.jsonl'), 'utf8')
    expect(audit).toContain('"secret":"plain"')
    expect(audit).not.toMatch(/canary-/)
    for (const key of await world.redis.keys('*')) expect(await world.redis.get(key)).not.toMatch(/canary-/)
  })

  test('I8: an attempt in a loop cannot fill the audit log with what it may do', async () => {
    const { context, end, job } = await world.granted('writer')
    const records = async () =>
      (await world.auditLines()).filter(
        ({ requestId, action }) => requestId === job.jobId && action !== 'grant',
      ).length
    const answers = await Promise.all(
      Array.from({ length: 2100 }, () => context.ask('GET', '/v1/secrets/plain')),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(2000)
    expect(answers.at(-1)!.json.error.type).toBe('attempt-limit')
    expect(await records()).toBeLessThanOrEqual(2000)
    await end()
  })

  test('I8: what cannot be recorded is not given', async () => {
    const { context } = await world.granted('writer')
    await world.breakAudit()
    for (const [method, path, body] of [
      ['GET', '/v1/secrets/plain', undefined],
      ['POST', '/v1/model/generate', { prompt: 'hi' }],
    ] as const)
      expect(await context.ask(method, path, body)).toMatchObject({
        status: 503,
        json: { error: { type: 'audit-unavailable' } },
      })
    const { context: next } = await world.granted('writer')
    await next.closed()
  })
})
