import { lookup as resolve, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIPv6, type LookupFunction } from 'node:net'
import { EgressRefusedError } from './errors.ts'

/**
 * IPv4 that is not one host of the public internet (IANA special-purpose registry), metadata services included; that of
 * Azure has an address outside of the registry, 168.63.129.16.
 */
const NOT_PUBLIC_4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]
/** All IPv6 hosts of the public internet lie in here: loopback, mapped, NAT64, link-local and private ones do not. */
const PUBLIC_6 = ['2000::/3']
/** Except for these: Teredo and other protocols, documentation, 6to4. */
const NOT_PUBLIC_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
const LOOPBACK = ['127.0.0.0/8', '::1/128']

const notPublic4 = listOf(NOT_PUBLIC_4)
const public6 = listOf(PUBLIC_6)
const notPublic6 = listOf(NOT_PUBLIC_6)

/** True for the address of one host on the public internet. */
export function isPublic(address: string): boolean {
  return isIPv6(address)
    ? public6.check(address, 'ipv6') && !notPublic6.check(address, 'ipv6')
    : !notPublic4.check(address, 'ipv4')
}

/** What finds out the addresses of a host: {@link resolve}, except in tests. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * A lookup for `connect` that gives only addresses which may be dialled: public ones, and those in the listed networks.
 * Whoever connects dials what it gives, so nothing is resolved a second time. The name `localhost` lists the loopback; an
 * address that is written as the host is not looked up: writing it lists it.
 */
export function judgedLookup(networks: readonly string[], resolveAll: Resolve = resolve): LookupFunction {
  const listed = listOf(networks)
  const withLoopback = listOf([...networks, ...LOOPBACK])
  return (hostname, options, callback) => {
    const mayDial = isLocalhost(hostname) ? withLoopback : listed
    resolveAll(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '')
      const judged = addresses.filter(
        ({ address }) => isPublic(address) || mayDial.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'),
      )
      if (judged.length === 0) return callback(new NotPublicError(), '')
      if (options.all) callback(null, judged)
      else callback(null, judged[0]!.address, judged[0]!.family)
    })
  }
}

/** Its addresses stay untold: they are facts of the network that the sidecar is in. */
class NotPublicError extends EgressRefusedError {
  constructor() {
    super('the host has no public address, nor one in the "networks" of the secret')
  }
}

const isLocalhost = (hostname: string) => /(?:^|\.)localhost$/i.test(hostname)

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}
