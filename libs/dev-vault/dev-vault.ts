import type { Clock, Log } from '#lib/runtime'
import { assemble, type Assembly } from './assemble.ts'
import type { SqlExecutor } from './database/sql-executor.ts'
import { HttpServer } from './http/server.ts'
import { refuseNonLoopback } from './loopback.ts'

/** What a dev Vault runs with. */
export interface DevVaultOptions {
  clock: Clock
  /** The root token it accepts, at least 16 characters. Without one it starts uninitialised, and `sys/init` makes one. */
  rootToken?: string
  /** Runs the database engine's SQL; without it only the database plugin `fake` is there. Disposed by who made it. */
  sqlExecutor?: SqlExecutor
  log: Log
  /** A loopback address. Default: 127.0.0.1. */
  host?: string
  /** Default: 0, any free port. */
  port?: number
}

/** A running dev Vault. All of it is in memory; its end revokes the secrets that are still leased. */
export class DevVault implements AsyncDisposable {
  readonly #parts: Assembly
  readonly #http: HttpServer
  /** The one share that unseals it again, in hex; undefined where `sys/init` hands the shares out. */
  readonly unsealKey: string | undefined

  /** @throws RefusedHostError | WeakRootTokenError */
  static async open(options: DevVaultOptions): Promise<DevVault> {
    const { rootToken, log, host = '127.0.0.1', port = 0 } = options
    refuseNonLoopback(host)
    if (rootToken !== undefined) refuseWeakRoot(rootToken)
    const parts = assemble(options)
    const unsealKey = rootToken === undefined ? undefined : initialize(parts, rootToken)
    const http = await HttpServer.open({ core: parts.core, log, host, port }).catch(
      async (error: unknown) => {
        await parts.leases[Symbol.asyncDispose]()
        throw error
      },
    )
    log.warn({ address: http.address }, 'DEV VAULT: in memory, without TLS. Never use it in production.')
    return new DevVault(parts, http, unsealKey)
  }

  private constructor(parts: Assembly, http: HttpServer, unsealKey: string | undefined) {
    this.#parts = parts
    this.#http = http
    this.unsealKey = unsealKey
  }

  /** Its base URL, for VAULT_ADDR. */
  get address(): string {
    return this.#http.address
  }

  /** Resolves when no revocation is under way. */
  settled(): Promise<void> {
    return this.#parts.leases.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]()
    for (const { engine } of this.#parts.router.mounts()) await engine.close?.()
    await this.#parts.leases[Symbol.asyncDispose]()
    this.#parts.audit.close()
  }
}

/** The root token guards everything: a guessable one is refused. */
export class WeakRootTokenError extends Error {
  override readonly name = 'WeakRootTokenError'
  constructor() {
    super('rootToken: expected at least 16 characters without white space')
  }
}

function refuseWeakRoot(rootToken: string): void {
  if (!/^\S{16,}$/.test(rootToken)) throw new WeakRootTokenError()
}

function initialize({ seal, makeRoot }: Assembly, rootToken: string): string {
  const [share] = seal.initialize({ shares: 1, threshold: 1 })
  makeRoot(rootToken)
  return share!.toString('hex')
}
