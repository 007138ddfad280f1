import type { Level } from '#lib/wire'
import type { Tries } from './tries.ts'

/** Another process of the stage, by its pid on the host. */
export interface Other {
  role: 'worker' | 'launcher' | 'sidecar' | 'sibling'
  pid: number
}

/** A listener that a canary tries to reach. `row`: the probe that it belongs to. */
export interface Target {
  row: string
  name: string
  kind: 'tcp' | 'udp' | 'unix' | 'vsock'
  host?: string
  port?: number
  /** Of a unix socket; an abstract one begins with a NUL. */
  path?: string
}

/** One canary's own name, which it leaves everywhere, and the number that it uses for System V keys. */
export interface Mark {
  mark: string
  key: number
}

/** What a canary is told of the host once it and its siblings have planted. */
export interface World {
  me: Mark
  /** One canary of each generation does what would be too much from all. */
  isFirst: boolean
  /** Every canary of this stage so far, earlier generations among them, and the host's own. */
  all: Mark[]
  others: Other[]
  /** Listeners that were opened for the canaries. */
  targets: Target[]
  /** Every listener that the kernel knows of on the host; for one canary of each generation, else empty. */
  listeners: Target[]
  /** The worker's socket for contexts, and a sibling's id to claim on it. */
  workerSocket: { path: string; context: string }
  files: Record<'secret' | 'database' | 'openFolder', string> & { readable: string[]; folders: string[] }
  /** A descriptor of the worker that is not close-on-exec. */
  descriptor: number
}

/**
 * One thing that a canary tries. It is planted at the start of an attempt and looked for twice: before that (what
 * earlier attempts left) and when all siblings have planted (what they show). What is seen is a list of short texts.
 */
export interface Probe {
  name: string
  /** For people. */
  tried: string
  /** The levels whose promise it is that nothing is seen, with Node's permission model or without. */
  promised: readonly Level[]
  /** Leaves the mark. */
  plant?(tries: Tries, me: Mark): void | Promise<void>
  /** Looks for other canaries' marks. */
  look?(tries: Tries, me: Mark, all: Mark[]): void | Promise<void>
  /** Tries to leave, once. */
  reach?(tries: Tries, world: World): void | Promise<void>
}

/** What one canary saw by one probe. */
export interface Seen {
  seen: string[]
  /** What refused the rest, and how often. */
  refused: Record<string, number>
}

export const ALL: readonly Level[] = ['thread', 'process', 'namespace']
export const WALLED: readonly Level[] = ['process', 'namespace']
export const SEALED: readonly Level[] = ['namespace']

/** The beginning that all marks of one run share. */
export const prefixOf = (mark: string) => mark.slice(0, mark.indexOf('-') + 1)
/** True for the name of another canary's trace. */
export const isForeign = (name: string, me: Mark) =>
  name.startsWith(prefixOf(me.mark)) && !name.startsWith(me.mark)
