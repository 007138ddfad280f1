import { once } from 'node:events'
import { createServer } from 'node:net'
import { PermanentError } from '#lib/runtime'

/** Someone else listens on a port that was asked for. */
export class PortInUseError extends PermanentError {
  override readonly name = 'PortInUseError'
  constructor(service: string, port: number) {
    super(
      `port ${port} for the ${service} is in use; choose another with --port, or --port 0 for any free one`,
    )
  }
}

/** Checks that a service can listen on a port of the loopback interface; 0 is always free. @throws PortInUseError */
export async function checkPort(service: string, port: number): Promise<void> {
  if (port === 0) return
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw new PortInUseError(service, port)
    throw error
  } finally {
    server.close()
  }
}

/** The port that a service had, so that a restarted one keeps its address; else the one that was asked for. */
export function portFor(previous: Record<string, unknown> | undefined, wanted: number): number {
  const url = previous?.['url']
  return typeof url === 'string' && URL.canParse(url) ? Number(new URL(url).port) : wanted
}
