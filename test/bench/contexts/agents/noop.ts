import { defineAgent } from 'threadbound/agent'
import { handle } from './handle-noop.ts'

export default defineAgent({ run: handle })
