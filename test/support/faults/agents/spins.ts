import { defineAgent } from 'threadbound/agent'

export default defineAgent({
  run() {
    for (;;);
  },
})
