import { defineAgent } from 'threadbound/agent'

export default defineAgent({ run: () => process.exit(0) })
