import { defineAgent } from 'threadbound/agent'

/** Buffers, which no heap flag counts. */
export default defineAgent({
  run() {
    const held: Buffer[] = []
    for (;;) held.push(Buffer.alloc(2 ** 20, 1))
  },
})
