import { channel } from './channel.ts'
import { files } from './files.ts'
import { floods } from './floods.ts'
import type { Hostile } from './hostile.ts'
import { memory } from './memory.ts'
import { pollution } from './pollution.ts'
import { processes } from './processes.ts'
import { reach } from './reach.ts'
import { results } from './results.ts'
import { time } from './time.ts'

/** Every hostile agent, by what it goes for. */
export const families: Record<string, Hostile[]> = {
  time,
  memory,
  processes,
  results,
  channel,
  floods,
  reach,
  files,
  pollution,
}
