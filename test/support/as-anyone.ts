/** Run by a test as a uid that is not root, with a level: attempts of one pool, their ends as JSON on stdout. */
import { readFileSync } from 'node:fs'
import type { Level } from '#lib/wire'
import { agentOf, openWorld } from './contexts.ts'
import { processesOf } from '#lib/context'

const source = agentOf(`
  switch (input.do) {
    case 'buffers': { const all = []; for (;;) all.push(Buffer.alloc(4e6, 1)) }
    case 'shared': { const all = []; for (;;) all.push(new Uint8Array(new SharedArrayBuffer(4e6)).fill(1)) }
    case 'wasm': { const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); for (;;) { const from = memory.grow(64); new Uint8Array(memory.buffer).fill(1, from * 65536) } }
    case 'heap': { const all: any[] = []; for (;;) all.push({ a: [1, 2, 3] }) }
    case 'daemon': {
      const { spawn } = await import('node:child_process')
      const daemon = "require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true, stdio: 'ignore' }).unref()"
      const child = spawn(process.execPath, ['-e', daemon], { detached: true, stdio: 'ignore' })
      return await new Promise((done) => child.once('exit', done))
    }
    case 'files': { for (const folder of ['/tmp', '/dev/shm']) try { for (;;) fs.appendFileSync(folder + '/x', Buffer.alloc(2 ** 18, 1)) } catch {} ; return new Promise(() => {}) }
    case 'never': return new Promise(() => {})
    default: return process.getuid!()
  }
`)
const [level, ...tasks] = process.argv.slice(2)
const ours = () =>
  processesOf(process.getuid!()).filter((pid) => !/^State:\s+[ZX]/m.test(statusOf(pid))).length

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return 'State:\tX'
  }
}

const ends = []
{
  await using world = await openWorld({
    level: level as Level,
    source,
    permissions: ['child-process'],
    limits: { memoryBytes: tasks.includes('files') ? 12e6 : 80e6 },
  })
  for (const task of tasks) {
    const { outcome, error, result, receipt } = await world.run({ do: task })
    ends.push({ outcome, error, result, receipt })
  }
}
process.stdout.write(JSON.stringify({ ends, left: ours() - 1 }))
