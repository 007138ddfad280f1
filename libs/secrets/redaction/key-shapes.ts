/** What keys of a well-known service begin with, and how they go on. */
export interface KeyShape {
  /** What a hit is called: it belongs to no secret that we know. */
  name: string
  prefix: Buffer
  /** Characters after the prefix from which on it is taken for a key. */
  least: number
}

const shape = (prefix: string, least: number): KeyShape => ({
  name: `key ${prefix}…`,
  prefix: Buffer.from(prefix),
  least,
})

/** Anthropic and OpenAI (`sk-ant-` is an `sk-`), GitHub, AWS, Vault. The shortest real ones are longer than this. */
export const KEY_SHAPES = [
  shape('sk-', 20),
  shape('ghp_', 30),
  shape('ghs_', 30),
  shape('AKIA', 16),
  shape('hvs.', 20),
]

/** True for what a key is made of: letters, digits, `-` and `_`. */
export function isKeyByte(byte: number | undefined): boolean {
  if (byte === undefined) return false
  const lower = byte | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f
}
