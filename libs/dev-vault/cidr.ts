import { BlockList, isIP } from 'node:net'
import { badRequest } from './errors.ts'
import type { Fields } from './fields.ts'

/** A list of address blocks from a field, or the fallback. @throws VaultRefusal 400 */
export function cidrsIn(fields: Fields, name: string, fallback: string[] = []): string[] {
  if (!fields.has(name)) return fallback
  const blocks = fields.list(name)
  const odd = blocks.find((block) => !block.includes('/') || !partsOf(block))
  if (odd !== undefined)
    throw badRequest(`${name}: failed to validate CIDR blocks: invalid CIDR address: ${odd}`)
  return blocks
}

/** The same, where a plain address is a block of one. @throws VaultRefusal 400 */
export function addressesIn(fields: Fields, name: string, fallback: string[] = []): string[] {
  if (!fields.has(name)) return fallback
  const blocks = fields.list(name)
  const odd = blocks.find((block) => !partsOf(block))
  if (odd !== undefined) throw badRequest(`${name}: error parsing address "${odd}"`)
  return blocks
}

/** True where no block is listed, or one holds the address. */
export function isWithin(address: string, blocks: readonly string[]): boolean {
  if (blocks.length === 0) return true
  const list = new BlockList()
  for (const block of blocks) {
    const { network, bits } = partsOf(block)!
    list.addSubnet(network, bits, familyOf(network))
  }
  return list.check(address, familyOf(address))
}

/** True where each of the inner blocks lies in one of the outer ones; no outer blocks are no limit. */
export function isSubset(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true
  return inner.every((block) => {
    const { network, bits } = partsOf(block)!
    return outer.some((limit) => partsOf(limit)!.bits <= bits && isWithin(network, [limit]))
  })
}

function partsOf(block: string): { network: string; bits: number } | undefined {
  const [network = '', given] = block.split('/')
  const family = isIP(network)
  if (family === 0 || block.split('/').length > 2) return undefined
  const most = family === 6 ? 128 : 32
  if (given !== undefined && !/^\d{1,3}$/.test(given)) return undefined
  const bits = given === undefined ? most : Number(given)
  return bits <= most ? { network, bits } : undefined
}

const familyOf = (address: string) => (isIP(address) === 6 ? 'ipv6' : 'ipv4')
