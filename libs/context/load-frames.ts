import { encodeBytes, encodeFrame } from '#lib/wire'
import type { Bundle } from './bundle.ts'

/** Every start sends it, and no agent that works has a larger one. */
const CODE_CACHE_BYTES = 8 * 2 ** 20
const encoded = new WeakMap<Bundle, Buffer>()

/** What loads a bundle in a context. Every start sends the same bytes, so they are encoded once. */
export function loadFrames(bundle: Bundle): Buffer {
  const known = encoded.get(bundle)
  if (known) return known
  const { code, codeCache = Buffer.alloc(0), filename } = bundle
  const bytes = [Buffer.from(code), codeCache].map(encodeBytes)
  const frames = Buffer.concat([...bytes, encodeFrame({ t: 'load', filename })])
  encoded.set(bundle, frames)
  return frames
}

/** A code cache from the parts that a context sent; empty where they are more than one may be. */
export function joinCodeCache(parts: string[]): Buffer {
  const whole = Buffer.from(parts.join(''), 'base64')
  return whole.length > CODE_CACHE_BYTES ? Buffer.alloc(0) : whole
}
