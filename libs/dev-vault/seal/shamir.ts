import { randomBytes, randomInt } from 'node:crypto'

/**
 * Shamir's secret sharing over GF(2^8), in the format of Vault: a share is one byte for each byte of the secret and
 * then its x. One share of one is the secret itself.
 */
export function splitSecret(
  secret: Buffer,
  { shares, threshold }: { shares: number; threshold: number },
): Buffer[] {
  if (shares === 1) return [Buffer.from(secret)]
  const parts = distinctXs(shares).map((x) => Buffer.concat([Buffer.alloc(secret.length), Buffer.of(x)]))
  for (const [index, byte] of secret.entries()) {
    const polynomial = Buffer.concat([Buffer.of(byte), randomBytes(threshold - 1)])
    for (const part of parts) part[index] = evaluate(polynomial, part.at(-1)!)
  }
  return parts
}

/** The secret of at least as many shares as the threshold; of fewer or of foreign shares, bytes that mean nothing. */
export function joinShares(shares: readonly Buffer[]): Buffer {
  if (shares.length === 1) return Buffer.from(shares[0]!)
  const xs = shares.map((share) => share.at(-1)!)
  const secret = Buffer.alloc(shares[0]!.length - 1)
  for (const index of secret.keys()) {
    let value = 0
    for (const [at, share] of shares.entries()) value ^= multiply(share[index]!, weightOf(xs, at))
    secret[index] = value
  }
  return secret
}

function distinctXs(count: number): number[] {
  const all = Array.from({ length: 255 }, (_, index) => index + 1)
  for (let at = 0; at < count; at++) {
    const other = randomInt(at, all.length)
    const kept = all[at]!
    all[at] = all[other]!
    all[other] = kept
  }
  return all.slice(0, count)
}

/** Horner, from the highest coefficient down. */
function evaluate(coefficients: Buffer, x: number): number {
  let value = 0
  for (const coefficient of coefficients.toReversed()) value = multiply(value, x) ^ coefficient
  return value
}

/** Lagrange's weight of one share at x = 0. */
function weightOf(xs: readonly number[], at: number): number {
  let weight = 1
  for (const [other, x] of xs.entries())
    if (other !== at) weight = multiply(weight, multiply(x, inverse(x ^ xs[at]!)))
  return weight
}

/** In the field of AES: modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(left: number, right: number): number {
  let product = 0
  for (let factor = left, bits = right; bits > 0; bits >>= 1) {
    if (bits & 1) product ^= factor
    factor = (factor << 1) ^ (factor & 0x80 ? 0x11b : 0)
  }
  return product
}

/** a^254 is the inverse, since a^255 is 1. */
function inverse(value: number): number {
  let power = 1
  for (let times = 0; times < 254; times++) power = multiply(power, value)
  return power
}
