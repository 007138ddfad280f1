import type { Readable } from 'node:stream'
import { saysOutOfMemory } from './output.ts'

/** A diagnostic report of Node with every stack in it is a tenth of this. */
const TAIL_CHARACTERS = 2 ** 17
/** The head of a report; agents are trusted here not to print one. */
const REPORT = /\{"header":\{"reportVersion":\d+,"event":"[^"]*",[^{}[\]]*?"threadId":(\d+)/g

/** What a thread host has written to its stderr: nothing, unless it is about to end. */
export class LastWords {
  #tail = ''

  constructor(from: Readable) {
    from.setEncoding('utf8')
    from.on('error', () => {})
    from.on('data', (text: string) => (this.#tail = (this.#tail + text).slice(-TAIL_CHARACTERS)))
  }

  /** The thread that V8 gave up in. */
  get threadId(): number | undefined {
    const id = [...this.#tail.matchAll(REPORT)].at(-1)?.[1]
    return id === undefined ? undefined : Number(id)
  }

  get saysOutOfMemory(): boolean {
    return saysOutOfMemory(this.#tail)
  }

  /** The last line, to tell why a host did not start. */
  get line(): string {
    return this.#tail.trim().split('\n').at(-1) ?? ''
  }
}
