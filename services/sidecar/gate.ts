import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Log } from '#lib/runtime'
import type { Access } from './access.ts'
import type { Attempts } from './attempts.ts'
import type { ContextRoutes } from './context-routes.ts'
import type { WorkerCredential } from './credential.ts'
import { NoGrantError } from './errors.ts'
import { sendError } from './exchange.ts'
import { failureOf } from './failure.ts'
import { readPreamble } from './preamble.ts'
import type { LinkName, Redactions } from './redactions.ts'
import { openRelay, refusalOf } from './relay-route.ts'
import type { WorkerRoutes } from './worker-routes.ts'

export interface GateOptions {
  attempts: Attempts
  access: Access
  workerRoutes: WorkerRoutes
  contextRoutes: ContextRoutes
  redactions: Redactions
  /** By agent type. */
  credentials: Map<string, WorkerCredential>
  log: Log
}

interface Peer {
  role: 'worker' | 'context'
  agentType: string
}

/**
 * Finds out who a connection belongs to, then lets it speak HTTP. The socket that it came in by says the agent type, its
 * first line the role; both stay with it until it closes. Nothing here waits for a first request: the connections of a
 * spare are idle until its attempt begins.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #http: Server
  readonly #peers = new WeakMap<Duplex, Peer>()
  /** Connections whose request is not answered yet. */
  readonly #busy = new WeakSet<Duplex>()

  constructor(options: GateOptions) {
    this.#options = options
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, noDelay: true })
    this.#http.on('request', (request, response) => {
      if (this.#isAlone(request.socket, response)) void this.#serve(request, response)
    })
    this.#http.on('connect', (request, socket, head) => {
      if (this.#isAlone(socket)) void this.#relay(request, socket as Socket, head)
    })
    this.#http.on('clientError', (_error, socket) => socket.destroy())
  }

  /** Takes a new connection of an agent type. Never throws: what is not as it should be is closed. */
  async accept(agentType: string, socket: Socket): Promise<void> {
    try {
      const peer = await this.#introduce(agentType, socket)
      if (!peer || socket.destroyed) return void socket.destroy()
      if ('link' in peer) return this.#options.redactions.attach(peer, socket)
      this.#peers.set(socket, peer)
      this.#http.emit('connection', socket)
      socket.resume()
    } catch (error) {
      this.#options.log.warn({ agentType, reason: failureOf(error).type }, 'connection refused')
      socket.destroy()
    }
  }

  async #introduce(agentType: string, socket: Socket): Promise<Peer | LinkName | undefined> {
    const { attempts, credentials, log } = this.#options
    const preamble = await readPreamble(socket)
    if (!preamble || socket.destroyed) {
      log.warn({ agentType }, 'connection without a preamble closed')
      return undefined
    }
    if (preamble.role === 'context') {
      attempts.contextOpened(preamble.context, socket, agentType)
      socket.once('close', () => attempts.contextClosed(socket))
      return { role: 'context', agentType }
    }
    if (!credentials.get(agentType)?.matches(preamble.credential)) {
      log.warn({ agentType }, 'connection with a wrong credential closed')
      return undefined
    }
    if (preamble.role === 'redaction') return { agentType, link: preamble.link }
    socket.once('close', () => attempts.workerClosed(socket))
    return { role: 'worker', agentType }
  }

  /**
   * One request at a time on a connection: our clients never send a second one before the answer, and Node's server would
   * read any number of them, bodies and all, into memory that no limit of the context counts. Who does loses the connection.
   */
  #isAlone(socket: Duplex, response?: ServerResponse): boolean {
    if (this.#busy.has(socket)) {
      socket.destroy()
      return false
    }
    if (!response) return true
    this.#busy.add(socket)
    response.once('close', () => this.#busy.delete(socket))
    return true
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request
    const peer = this.#peers.get(socket)
    try {
      if (peer?.role === 'worker')
        await this.#options.workerRoutes.serve(request, response, {
          agentType: peer.agentType,
          connection: socket,
        })
      else await this.#options.contextRoutes.serve(request, response, this.#attemptOf(socket))
    } catch (error) {
      this.#logUnforeseen(error)
      sendError(response, error)
    }
  }

  async #relay(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    try {
      const attempt = this.#attemptOf(socket)
      const carry = await openRelay(this.#options.access, attempt, request).catch((error: unknown) => {
        if (failureOf(error).status === 403)
          this.#options.access.denied(attempt, 'relay', failureOf(error).type)
        throw error
      })
      await carry(socket, head)
    } catch (error) {
      this.#logUnforeseen(error)
      if (socket.destroyed) return
      socket.write(refusalOf(error))
      if (head.length > 0) socket.unshift(head)
      this.#http.emit('connection', socket)
    }
  }

  #attemptOf(socket: Socket) {
    const attempt = this.#options.attempts.of(socket)
    if (!attempt) throw new NoGrantError()
    return attempt
  }

  #logUnforeseen(error: unknown): void {
    if (failureOf(error).type !== 'sidecar-failed') return
    const name = error instanceof Error ? error.name : typeof error
    this.#options.log.error({ error: name, stack: stackOf(error) }, 'request failed')
  }
}

/** Where an unforeseen error came from; its message stays out, since nobody knows what it holds. */
function stackOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  return error.stack
    ?.split('\n')
    .filter((line) => line.startsWith('    at '))
    .slice(0, 6)
    .join(' ')
}
