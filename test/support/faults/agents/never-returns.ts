import { defineAgent } from 'threadbound/agent'

export default defineAgent({ run: () => new Promise(() => {}) })
