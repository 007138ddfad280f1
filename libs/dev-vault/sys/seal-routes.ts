import { write, type EngineRequest, type Reply, type Route } from '../engine.ts'
import { badRequest } from '../errors.ts'
import type { Seal } from '../seal/seal.ts'
import { sealStatus } from './status.ts'

export interface SealParts {
  seal: Seal
  /** Fills a Vault that has just been initialised. Resolves to its first root token. */
  found: () => Promise<string>
  /** What starts when it has opened, and stops before it closes. */
  onOpen: () => void
  onClose: () => void
}

/** `sys/init`, `sys/seal` and `sys/unseal`. */
export function sealRoutes(parts: SealParts): Route[] {
  const { seal } = parts
  return [
    {
      pattern: 'init',
      open: true,
      whileSealed: true,
      unaudited: true,
      on: {
        read: () => ({ bare: { initialized: seal.facts.initialized } }),
        ...write((request) => initialize(parts, request)),
      },
    },
    {
      pattern: 'unseal',
      open: true,
      whileSealed: true,
      unaudited: true,
      on: write((request) => unseal(parts, request)),
    },
    {
      pattern: 'seal',
      unaudited: true,
      sudo: true,
      on: write(() => {
        parts.onClose()
        seal.close()
      }),
    },
  ]
}

/** Leaves it sealed, as Vault does: whoever has the shares opens it. */
async function initialize({ seal, found }: SealParts, { fields }: EngineRequest): Promise<Reply> {
  const shares = seal.initialize({
    shares: fields.integer('secret_shares'),
    threshold: fields.integer('secret_threshold'),
  })
  const rootToken = await found()
  seal.close()
  return {
    bare: {
      keys: shares.map((share) => share.toString('hex')),
      keys_base64: shares.map((share) => share.toString('base64')),
      root_token: rootToken,
    },
  }
}

function unseal({ seal, onOpen }: SealParts, { fields }: EngineRequest): Reply {
  if (fields.boolean('reset')) {
    if (!seal.facts.sealed) throw badRequest('vault is unsealed')
    seal.forgetShares()
  } else if (seal.offer(shareOf(fields.string('key')))) openOrClose(seal, onOpen)
  return { bare: sealStatus(seal) }
}

/** What can't be opened whole stays closed. */
function openOrClose(seal: Seal, onOpen: () => void): void {
  try {
    onOpen()
  } catch (error) {
    seal.close()
    throw error
  }
}

/** A share of 32 bytes, or of 33 where there are several; hex where it can be, else base64. */
function shareOf(text: string): Buffer {
  if (text === '') throw badRequest("'key' must be specified in request body as JSON, or 'reset' set to true")
  if (/^(?:[0-9a-f]{64}|[0-9a-f]{66})$/i.test(text)) return Buffer.from(text, 'hex')
  const share = Buffer.from(text, 'base64')
  if (share.toString('base64') !== text) throw badRequest("'key' must be a valid hex or base64 string")
  if (share.length < 16 || share.length > 33)
    throw badRequest(`key is ${share.length < 16 ? 'shorter' : 'longer'} than expected`)
  return share
}
