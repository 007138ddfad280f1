import { setTimeout as delay } from 'node:timers/promises'
import type { LoadLimits } from '#lib/wire'
import { type HostSettings, ThreadHost } from './thread-host.ts'

/** A host that lived so long was well: the next one starts without a pause. */
const WELL_MS = 10_000
const PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000

/**
 * The thread host of a launcher: started when it is first needed and again after it has ended. Beside it, one for each
 * context that must be alone.
 */
export class ThreadHosts implements AsyncDisposable {
  readonly #settings: HostSettings
  readonly #stop = new AbortController()
  readonly #alone = new Set<ThreadHost>()
  #host: ThreadHost | undefined
  #opening: Promise<ThreadHost> | undefined
  #childProcess: boolean | undefined
  #count = 0
  #failures = 0

  constructor(settings: HostSettings) {
    this.#settings = settings
  }

  /** A host for one context, which ends it. @throws when none can be started */
  async takeAlone(limits: LoadLimits): Promise<ThreadHost> {
    this.#stop.signal.throwIfAborted()
    const host = this.#start({ ...this.#settings, maxContexts: 1 }, limits)
    this.#alone.add(host)
    void host.ended.then(() => this.#alone.delete(host))
    await host.bound(limits)
    return host
  }

  /** The host that lives, or one that starts now. @throws when none can be started */
  async take(limits: LoadLimits): Promise<ThreadHost> {
    this.#childProcess ??= limits.childProcess
    if (limits.childProcess !== this.#childProcess)
      throw new Error('all contexts of a thread host may start child processes, or none')
    if (this.#host && !this.#host.isOver) return this.#host
    this.#opening ??= this.#open(limits).finally(() => (this.#opening = undefined))
    return this.#opening
  }

  async #open(limits: LoadLimits): Promise<ThreadHost> {
    await this.#host?.ended
    const pause = this.#failures < 2 ? 0 : Math.min(PAUSE_MS * 2 ** (this.#failures - 2), LONGEST_PAUSE_MS)
    await delay(pause, undefined, { signal: this.#stop.signal })
    const host = this.#start(this.#settings, limits)
    this.#host = host
    void host.ended.then(() => (this.#failures = host.ageMs < WELL_MS ? this.#failures + 1 : 0))
    await host.bound(limits)
    return host
  }

  #start(settings: HostSettings, limits: LoadLimits): ThreadHost {
    return new ThreadHost(settings, limits, `thread-host-${++this.#count}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the launcher ends'))
    await this.#opening?.catch(() => {})
    const all = [...(this.#host ? [this.#host] : []), ...this.#alone]
    for (const host of all) host.kill()
    await Promise.all(all.map((host) => host.ended))
  }
}
