import { PermanentError, type Clock, type Log } from '#lib/runtime'
import { assemble, type Assembly } from './assemble.ts'
import type { SqlExecutor } from './database/sql-executor.ts'
import { HttpServer } from './http/server.ts'
import { refuseNonLoopback } from './loopback.ts'
import { FileStore } from './store/file-store.ts'

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
  /** The folder that keeps it all, encrypted. Default: none, all is in memory. */
  data?: string
  /**
   * The one share, 64 hex digits, that opens the folder, or shall open a new one. Default: a new one has a random share,
   * and one that was made before starts sealed.
   */
  unsealKey?: string
}

/** A running dev Vault. In memory, its end revokes the secrets that are still leased; in a folder, they live on. */
export class DevVault implements AsyncDisposable {
  readonly #parts: Assembly
  readonly #http: HttpServer
  /** The one share that unseals it again, in hex; undefined where `sys/init` hands the shares out. */
  readonly unsealKey: string | undefined

  /** @throws RefusedHostError | WeakRootTokenError | UnsealKeyError | StoreDamagedError | VaultRefusal for a wrong unseal key */
  static async open(options: DevVaultOptions): Promise<DevVault> {
    const { rootToken, log, host = '127.0.0.1', port = 0, data } = options
    refuseNonLoopback(host)
    if (rootToken !== undefined) refuseWeakRoot(rootToken)
    if (options.unsealKey !== undefined) refuseOddKey(options.unsealKey)
    const parts = assemble(options, data === undefined ? undefined : new FileStore(data))
    try {
      const unsealKey = await start(parts, options)
      const http = await HttpServer.open({ core: parts.core, log, host, port })
      const kept = data === undefined ? 'in memory' : 'in a folder'
      log.warn(
        { address: http.address, sealed: parts.seal.facts.sealed },
        `DEV VAULT: ${kept}, without TLS. Never use it in production.`,
      )
      return new DevVault(parts, http, unsealKey)
    } catch (error) {
      await parts.leases[Symbol.asyncDispose]()
      throw error
    }
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
    await this.#parts.persistence.settled()
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

/** The unseal key is no key. */
export class UnsealKeyError extends PermanentError {
  override readonly name = 'UnsealKeyError'
  constructor() {
    super('unsealKey: expected 64 hex digits')
  }
}

function refuseOddKey(unsealKey: string): void {
  if (!/^[0-9a-f]{64}$/i.test(unsealKey)) throw new UnsealKeyError()
}

/** Opens what can be opened. @returns the unseal key, where it is known */
async function start(parts: Assembly, options: DevVaultOptions): Promise<string | undefined> {
  const { seal, tokens, persistence } = parts
  const { rootToken, unsealKey } = options
  if (!seal.facts.initialized)
    return rootToken === undefined ? undefined : initialize(parts, rootToken, unsealKey)
  if (unsealKey === undefined) return undefined
  seal.offer(Buffer.from(unsealKey, 'hex'))
  persistence.restoreOnce()
  if (rootToken !== undefined && !tokens.find(rootToken)) {
    tokens.createRoot(rootToken)
    await persistence.save()
  }
  return unsealKey
}

async function initialize(parts: Assembly, rootToken: string, unsealKey?: string): Promise<string> {
  const [share] = parts.seal.initialize({
    shares: 1,
    threshold: 1,
    ...(unsealKey !== undefined && { unsealKey: Buffer.from(unsealKey, 'hex') }),
  })
  parts.tokens.createRoot(rootToken)
  await parts.persistence.found()
  return share!.toString('hex')
}
