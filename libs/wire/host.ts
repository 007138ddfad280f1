/** What a launcher and its thread host say to each other, on the host's descriptor 3. */

/** Launcher to thread host. The first message is the configuration. */
export type ToHost =
  | { t: 'host'; entry: string; contextSocket: string; brokerSocket?: string; threadArguments: string[] }
  | { t: 'start'; context: string; heapMiB: number }
  /** An attempt enters: from here on its buffers may hold so much. */
  | { t: 'acquire'; context: string; memoryBytes: number }
  | { t: 'end'; context: string }

/** What the host measured of a thread. */
export interface ThreadMeasures {
  /** Processor time of the thread; null where it ended before it could be asked. */
  cpuMs: number | null
  /** Heap and buffers above those of the empty context, the most that was seen; null where an attempt never entered. */
  peakBytes: number | null
}

/** Thread host to launcher. */
export type FromHost =
  | { t: 'started'; context: string; threadId: number }
  | { t: 'start-failed'; context: string; message: string }
  | { t: 'output'; context: string; stream: 'stdout' | 'stderr'; text: string }
  /** Its buffers hold more than they may. */
  | { t: 'over'; context: string }
  | ({ t: 'ended'; context: string; exitCode: number; outOfMemory: boolean } & ThreadMeasures)

/** What a thread is given by its host, beside its code. */
export interface ThreadSeed {
  context: string
  contextSocket: string
  brokerSocket?: string
  /** Bytes of console output that the host has taken, as one Int32. */
  taken: SharedArrayBuffer
}

/** What a thread says to its host. */
export type FromThread =
  | { t: 'connected' }
  /** The agent's module: from here on a spare is idle. */
  | { t: 'loaded' }
  | { t: 'start-failed'; message: string }
  | { t: 'output'; stream: 'stdout' | 'stderr'; text: string }
