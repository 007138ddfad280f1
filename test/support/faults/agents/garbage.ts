import { writeSync } from 'node:fs'
import { defineAgent } from 'threadbound/agent'

export default defineAgent({
  run() {
    writeSync(3, Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n'.repeat(1000)))
    return new Promise(() => {})
  },
})
