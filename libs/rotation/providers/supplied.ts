import { KeyAwaitedError } from '../errors.ts'
import type { RotationProvider } from '../provider.ts'

/** Values of a service that nobody has taught us: an operator supplies each, and ends the old one there. */
export const suppliedProvider = (secret: string): RotationProvider => ({
  account: `supplied/${secret}`,
  endsKeys: false,
  awaitsKeys: true,
  async create({ supplied }) {
    if (!supplied) throw new KeyAwaitedError(secret)
    return supplied
  },
  async verify() {},
  async revoke() {},
  async findOrphans() {
    return []
  },
})
