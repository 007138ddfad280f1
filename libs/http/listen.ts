import type { FastifyInstance } from 'fastify'
import { onDispose } from '#lib/runtime'

/** A server that takes connections. Disposing it answers what is in flight and closes the port. */
export interface Listening extends AsyncDisposable {
  /** `http://host:port`, without a path. */
  url: string
}

/** Opens the port of an app. `port` 0 takes a free one. */
export async function listen(
  app: FastifyInstance,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  const url = await app.listen({ host, port })
  return Object.assign(
    onDispose(() => app.close()),
    { url },
  )
}
