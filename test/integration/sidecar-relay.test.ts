import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectDatabase, relay } from '#lib/broker'
import { expect, onTestFinished, test } from 'vitest'

test('I6: a relay carries bytes both ways and is cut at once when the attempt ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tb-relay-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const socket = join(folder, '.s.PGSQL.5432')
  const database = createServer((peer) => peer.on('error', () => {}).pipe(peer))
  await new Promise<void>((resolve) => database.listen(socket, resolve))
  const stop = new AbortController()
  const front = createServer((near) => {
    void connectDatabase({ host: 'unused', port: 5432, socket: folder }, stop.signal).then((far) =>
      relay(near, far, stop.signal),
    )
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void [front.close(), database.close()])
  const client = connect((front.address() as AddressInfo).port, '127.0.0.1')
  client.write('ping')
  expect(String(await new Promise((resolve) => client.once('data', resolve)))).toBe('ping')
  const closed = new Promise((resolve) => client.on('error', () => {}).once('close', resolve))
  stop.abort()
  await closed
})
