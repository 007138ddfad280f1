import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { writeResolvedCluster } from '#lib/cluster'
import { createSigningKeyPem, openRedis, publishManifest, queueOf } from '#lib/queue'
import { configToEnv, hashCredential } from '#lib/runtime'
import { KEYS, testCluster, testManifest } from '../../support/producer.ts'
import { startRedis, type TestRedis } from '../../support/queue-redis.ts'

let redis: TestRedis
let env: Record<string, string>
beforeAll(async () => {
  redis = await startRedis()
  const [clusterFile, signingKeyFile, apiKeysFile] = ['c.json', 'key.pem', 'keys.json'].map((name) =>
    join(redis.dir, name),
  ) as [string, string, string]
  await writeResolvedCluster(testCluster('demo'), clusterFile)
  await writeFile(signingKeyFile, createSigningKeyPem().signingKey)
  await writeFile(
    apiKeysFile,
    JSON.stringify([{ hash: hashCredential(KEYS.shop), caller: 'shop', tenant: 'acme' }]),
  )
  env = configToEnv({ clusterFile, signingKeyFile, apiKeysFile, redis: redis.config, supervised: 1 })
  const connection = await openRedis(redis.config, 'reader')
  await publishManifest(
    connection,
    queueOf({ cluster: 'demo', environment: 'test' }, 'writer'),
    testManifest('writer'),
  )
  connection.disconnect()
})
afterAll(() => redis[Symbol.asyncDispose]())

function start(more: Record<string, string> = {}) {
  const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const
  const child = spawn(process.execPath, ['services/producer/main.ts'], {
    env: { ...env, ...more },
    stdio: [...stdio],
  })
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return { child, output: () => text }
}

test('the process announces its address when it listens, serves, and ends with 0 on SIGTERM', async () => {
  const { child, output } = start()
  const [line] = (await once(child.stdio[3]!, 'data')) as [Buffer]
  const { ready, url } = JSON.parse(line.toString()) as { ready: boolean; url: string }
  expect(ready).toBe(true)
  const body = JSON.stringify({ agent: 'writer', input: { question: 'canary-q' } })
  const headers = { authorization: `Bearer ${KEYS.shop}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}/v1/requests`, { method: 'POST', body, headers })
  expect(answer.status).toBe(202)
  expect(await answer.json()).toMatchObject({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/) })
  // Not at its exit: what it wrote may come after that.
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  expect(await closed).toEqual([0, null])
  expect(output()).toContain('"msg":"request accepted"')
  expect(output()).toContain('"trace_id"')
  expect(output()).not.toMatch(/canary-q|tbk_shop|queue-test-password/)
})

test.each<[string, Record<string, string>, RegExp]>([
  ['no Redis', { TB_REDIS_SOCKET: '/nowhere/redis.sock' }, /Redis does not answer/],
  [
    'no signing key',
    { TB_SIGNING_KEY_FILE: '/nowhere/key.pem' },
    /key\.pem: expected an Ed25519 private key/,
  ],
  [
    'an API key file that is none',
    { TB_API_KEYS_FILE: '/etc/hostname' },
    /API keys file \/etc\/hostname: expected JSON/,
  ],
  ['a wrong port', { TB_PORT: 'eighty' }, /TB_PORT/],
])('with %s the process ends and says what is wrong', async (_what, more, message) => {
  const { child, output } = start(more)
  const [code] = (await once(child, 'close')) as [number]
  expect(code).not.toBe(0)
  expect(output()).toMatch(message)
})

test('a port in use is named', async () => {
  const first = start()
  const [line] = (await once(first.child.stdio[3]!, 'data')) as [Buffer]
  const { port } = new URL((JSON.parse(line.toString()) as { url: string }).url)
  const second = start({ TB_PORT: port })
  const [code] = (await once(second.child, 'close')) as [number]
  expect(code).not.toBe(0)
  expect(second.output()).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}`)
  const exited = once(first.child, 'exit')
  first.child.kill('SIGTERM')
  await exited
})
