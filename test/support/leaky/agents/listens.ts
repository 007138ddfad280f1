import { defineAgent } from 'threadbound/agent'

/** Takes what it is called with, which lies in its queue meanwhile. */
export default defineAgent({ run: () => 'heard' })
