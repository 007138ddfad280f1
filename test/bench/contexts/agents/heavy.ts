import { defineAgent } from 'threadbound/agent'
import { handle } from './handle-heavy.ts'

export default defineAgent({ run: handle })
