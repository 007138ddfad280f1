import type { AgentSecrets } from '#lib/agent'
import type { LeaseResult, SecretValue } from '#lib/wire'
import type { Broker } from './broker.ts'
import { Relay } from './relay.ts'

/** `ctx.secrets`. */
export function createSecrets(broker: Broker): AgentSecrets {
  return {
    async get(name) {
      return (await broker.json<SecretValue>('GET', `/v1/secrets/${encodeURIComponent(name)}`)).value
    },
    async lease(name) {
      const { credentials, ttlMs } = await broker.json<LeaseResult>('POST', '/v1/leases', { name })
      return { credentials, ttlMs, connect: () => new Relay(broker, name) }
    },
  }
}
