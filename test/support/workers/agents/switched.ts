import { readSync } from 'node:fs'
import { defineAgent } from 'threadbound/agent'

/** Loads only while the test's switch is on, which says so on descriptor 4: see load-switch.ts. */
if (readByte(4) !== 'y') throw new Error('switched off')

export default defineAgent({
  async run(_input: unknown) {
    return 'on'
  },
})

function readByte(fd: number): string {
  const byte = Buffer.alloc(1)
  for (;;) {
    try {
      readSync(fd, byte)
      return byte.toString()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
