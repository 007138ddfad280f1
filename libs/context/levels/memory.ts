/** One context's memory limit, however it is held. */
export interface ContextMemory extends Disposable {
  /** Sets the limit that holds until an attempt enters. `pid`: the first process; its children inherit. */
  load(pid: number, limitBytes: number): void
  /** From here on, everything the context adds is limited to `limitBytes`. */
  acquire(limitBytes: number): void
  /** Reads what only a living context tells. */
  measure?(): void
  /** What it held when an attempt entered; null before that. */
  readonly emptyBytes: number | null
  /** Highest use above the empty context; null where it is not told or no attempt has entered. */
  readonly peakBytes: number | null
  /** True when the limit ended the context. */
  readonly exceeded: boolean
}
