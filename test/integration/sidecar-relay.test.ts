import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AttemptBudget, connectDatabase, relay } from '#lib/broker'
import { expect, onTestFinished, test } from 'vitest'

/** A client on a relay to a database that echoes. */
async function setup() {
  const folder = mkdtempSync(join(tmpdir(), 'tb-relay-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const socket = join(folder, '.s.PGSQL.5432')
  const database = createServer((peer) => peer.on('error', () => {}).pipe(peer))
  await new Promise<void>((resolve) => database.listen(socket, resolve))
  const stop = new AbortController()
  const budget = new AttemptBudget()
  const limits = { signal: stop.signal, count: (bytes: number) => budget.move(bytes) }
  const front = createServer((near) => {
    void connectDatabase({ host: 'unused', port: 5432, socket: folder }, stop.signal).then((far) =>
      relay(near, far, limits),
    )
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void [front.close(), database.close()])
  const client = connect((front.address() as AddressInfo).port, '127.0.0.1')
  const closed = new Promise((resolve) => client.on('error', () => {}).once('close', resolve))
  return { client, closed, stop, budget }
}

test('I6: a relay carries bytes both ways and is cut at once when the attempt ends', async () => {
  const { client, closed, stop } = await setup()
  client.write('ping')
  expect(String(await new Promise((resolve) => client.once('data', resolve)))).toBe('ping')
  stop.abort()
  await closed
})

test(
  'I2: what goes over a relay counts against its attempt, and ends with what that may move',
  { timeout: 20_000 },
  async () => {
    const { client, closed, budget } = await setup()
    budget.move(256 * 2 ** 20 - 9)
    client.write('ping')
    expect(String(await new Promise((resolve) => client.once('data', resolve)))).toBe('ping')
    client.write('ping')
    await closed
  },
)
