import { writeFileSync } from 'node:fs'
import { defineAgent } from 'threadbound/agent'

/** Leaves what a short request may leave: a file, a timer that is still due, a log line. */
export default defineAgent({
  async run({ n }: { n: number }, ctx) {
    writeFileSync('/tmp/left-over', 'x'.repeat(10_000))
    setInterval(() => {}, 1000)
    ctx.log.info({ n }, 'short request')
    return n
  },
})
