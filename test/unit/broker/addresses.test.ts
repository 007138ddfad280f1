import type { LookupAddress } from 'node:dns'
import { isIPv6 } from 'node:net'
import { describe, expect, test } from 'vitest'
import { isPublic, judgedLookup } from '#lib/broker'

const NOT_PUBLIC = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '64:ff9b:1::a00:1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
]
const PUBLIC = [
  '1.1.1.1',
  '100.63.255.255',
  '100.128.0.1',
  '172.32.0.1',
  '192.1.0.1',
  '2606:4700::1111',
  '2a00:1450::1',
]

/** What a connection would be given for a name with these addresses. */
function look(addresses: string[], { host = 'api.example.com', networks = [] as string[], all = true } = {}) {
  const lookups: string[] = []
  const lookup = judgedLookup(networks, (name, _options, callback) => {
    lookups.push(name)
    callback(
      null,
      addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 })),
    )
  })
  const { promise, resolve, reject } = Promise.withResolvers<string | LookupAddress[]>()
  lookup(host, { all }, (error, found) => (error ? reject(error) : resolve(found)))
  return { promise, lookups }
}

describe('G10: what is dialled is judged, not what was asked for', () => {
  test.each(NOT_PUBLIC)('%s is no public address', (address) => expect(isPublic(address)).toBe(false))
  test.each(PUBLIC)('%s is one', (address) => expect(isPublic(address)).toBe(true))

  test('a name that leads to addresses inside alone is refused, and they are not told', async () => {
    const { promise } = look(['10.1.2.3', '::1'])
    await expect(promise).rejects.toMatchObject({ type: 'egress-refused' })
    await promise.catch((error: Error) => expect(error.message).not.toMatch(/10\.1|::1/))
  })

  test('of a name that leads inside and outside only the outside is dialled', async () =>
    expect(await look(['127.0.0.1', '1.1.1.1']).promise).toEqual([{ address: '1.1.1.1', family: 4 }]))

  test('a listed network may be dialled, and nothing beside it', async () => {
    const networks = ['10.1.0.0/16', 'fd12::/16']
    expect(await look(['10.1.2.3', 'fd12::1', '10.2.0.1'], { networks }).promise).toEqual([
      { address: '10.1.2.3', family: 4 },
      { address: 'fd12::1', family: 6 },
    ])
  })

  test('the name localhost means the loopback, and nothing else does', async () => {
    expect(await look(['127.0.0.1'], { host: 'localhost', all: false }).promise).toBe('127.0.0.1')
    await expect(look(['10.0.0.1'], { host: 'localhost' }).promise).rejects.toThrow('no public address')
    await expect(look(['127.0.0.1'], { host: 'notlocalhost' }).promise).rejects.toThrow('no public address')
  })

  test('a name is resolved once for a connection', async () => {
    const { promise, lookups } = look(['1.1.1.1'])
    await promise
    expect(lookups).toEqual(['api.example.com'])
  })
})
