import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { defineAgent } from 'threadbound/agent'

/** Tries to reach what it must not reach, and says what it got. */
export default defineAgent({
  async run(_input, ctx) {
    return {
      own: await attempt(async () => (await ctx.secrets.get('canary-value')).length),
      other: await attempt(() => ctx.secrets.get('anthropic-api-key')),
      undeclared: await attempt(() => ctx.secrets.get('openai-api-key')),
      lease: await attempt(() => ctx.secrets.lease('orders-db')),
      host: await attempt(async () => (await ctx.fetch('http://127.0.0.1:1/')).text()),
      call: await attempt(() => ctx.call('throws', {})),
      file: await attempt(() => readFileSync('/etc/passwd', 'utf8')),
      socket: await attempt(() => dial()),
      environment: Object.keys(process.env),
    }
  },
})

async function attempt(work: () => unknown): Promise<string> {
  try {
    return `got ${String(await work())}`
  } catch (error) {
    const { code, type, name } = error as { code?: string; type?: string; name: string }
    return `refused ${type ?? code ?? name}`
  }
}

function dial(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(6379, '127.0.0.1', () => resolve('a socket'))
    socket.on('error', reject)
  })
}
