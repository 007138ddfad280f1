import type { AgentContext } from 'threadbound/agent'
import type { Level } from '#lib/wire'

/**
 * What a hostile agent is: an attack, and how an attempt that makes it must end at each level. These files are bundled
 * into the agent that attacks and read by the tests that judge it, so that neither can drift from the other.
 */

/** `timed-out`, `failed crashed` (outcome and type), or `completed` and the result as JSON. */
type Ending = string
/** What may be seen; or that a level makes no promise of it, as the README's table says: then it is not tried there. */
export type Cell = Ending[] | 'not promised'
export type Row = Record<Level, Cell>

export interface Hostile {
  name: string
  attack(ctx: AgentContext, facts: Facts): unknown
  ends: Row
  /** Where `permissions: [child-process, worker]` change it. */
  permitted?: Partial<Row>
}

/** What an attack is told: an attacker knows the host. */
export interface Facts {
  attack: string
  level: Level
  permitted: boolean
  /** Folders in which it may write: nobody else sees them. */
  own: string[]
  /** Worker, launcher, and every context that there was when the attacks began. */
  pids: number[]
  targets: Targets
}

/** Things of the host that no context may reach. */
export interface Targets {
  /** What an attack says to a listener, so that it is known for what it is. */
  word: string
  tcp4: number
  tcp6: number
  udp: number
  /** Paths of unix sockets that every user may open. */
  unixHidden: string
  unixOpen: string
  abstract: string
  /** Files that only root may read, one of them a database; and one that every user may read. */
  secretFile: string
  publicFile: string
  database: string
  /** A folder of root's, and the folders that any user may write to. */
  folder: string
  openFolders: string[]
}

/** A well-behaved attempt: it works, waits until it is let go, works again, and says what it found of others. */
export const NEIGHBOUR = 'neighbour'
/** How it ends. */
export const UNTOUCHED = 'completed {"held":"passed","worked":true,"found":[]}'

/** The same at every level. */
export const everywhere = (...ends: Ending[]): Row => ({ thread: ends, process: ends, namespace: ends })

/** The same behind the kernel's walls; at `thread` something else. */
export const walled = (thread: Cell, ...ends: Ending[]): Row => ({ thread, process: ends, namespace: ends })

/** How an attempt ends at level `thread` when it takes its host down, or the host's limit ends it. */
export const WITH_ITS_HOST: Ending[] = ['out-of-memory', 'interrupted', 'failed crashed']

/** The cell of an agent at a level. */
export function cellOf({ ends, permitted: changed }: Hostile, level: Level, permitted: boolean): Cell {
  return (permitted ? changed?.[level] : undefined) ?? ends[level]
}
