import { createHash, randomBytes } from 'node:crypto'
import type { RotationProvider } from '../provider.ts'

const BYTES = 32

/**
 * A value that nobody gives out: both of its sides read it from Vault (a shared secret, a signing key). There is no key to
 * try or to end, so there is no grace: the old value is simply replaced.
 */
export const randomProvider: RotationProvider = {
  account: 'random',
  endsKeys: false,
  async create() {
    const value = randomBytes(BYTES).toString('base64url')
    return { id: createHash('sha256').update(value).digest('hex').slice(0, 16), value }
  },
  async verify() {},
  async revoke() {},
  async findOrphans() {
    return []
  },
}
