import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { askRotator, rotatorOf } from '../support/rotator-operator.ts'

const FILE = join(import.meta.dirname, '../support/rotation/providers/threadbound.yaml')
let cluster: TestCluster

beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const ask = async (path: string, secret: string, body: object = {}) =>
  (
    await askRotator(rotatorOf(cluster.data), {
      method: 'POST',
      path,
      body: { secret, operator: 'ann', ...body },
    })
  ).body

/** What lies in Vault; undefined while nothing does. */
async function live(secret: string): Promise<string | undefined> {
  const token = readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8')
  const url = `${cluster.ready.vault}/v1/kv/data/tb/provided/test/${secret}`
  const answer: any = await (await fetch(url, { headers: { 'x-vault-token': token } })).json()
  return answer.data?.data.value
}

const WITHIN = { timeout: 20_000 }

test('a command of the cluster file makes a value, under up as anywhere', async () => {
  expect(await ask('/v1/rotations', 'own-key')).toMatchObject({ accepted: true })
  await expect.poll(() => live('own-key'), WITHIN).toBe('made-by-a-command-0123456789')
})

test('a random value is made, and made anew', async () => {
  await ask('/v1/rotations', 'shared-key')
  await expect.poll(() => live('shared-key'), WITHIN).toMatch(/^[\w-]{43}$/)
  const first = await live('shared-key')
  await ask('/v1/rotations', 'shared-key')
  await expect.poll(() => live('shared-key'), WITHIN).not.toBe(first)
})

test('a value of a service that nobody knows is made live when it is supplied, and not before', async () => {
  expect(await ask('/v1/rotations', 'mail-key')).toMatchObject({ accepted: false })
  expect(await ask('/v1/keys', 'mail-key', { value: 'supplied-0123456789' })).toMatchObject({
    accepted: true,
  })
  await expect.poll(() => live('mail-key'), WITHIN).toBe('supplied-0123456789')
})

test('a value that nobody waits for is refused, and what is live stays', async () => {
  const before = await live('shared-key')
  expect(await ask('/v1/keys', 'shared-key', { value: 'supplied-0123456789' })).toMatchObject({
    accepted: false,
    refused: expect.stringContaining('makes keys by itself'),
  })
  expect(await live('shared-key')).toBe(before)
})
