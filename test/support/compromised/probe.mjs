// What a compromised worker may run: any code, as its user, with its environment, in its mount namespace.
// It comes on stdin below a line that says the TASKS, and tells of each `ok`, or why not.
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { once } from 'node:events'

const require = createRequire(process.env.CHECKOUT)
const { Redis } = require('ioredis')
const ffi = process.getBuiltinModule('node:ffi')
const { functions } = ffi.dlopen(null, {
  ptrace: { arguments: ['i64', 'i32', 'u64', 'u64'], return: 'i64' },
  setuid: { arguments: ['u32'], return: 'i32' },
})
const PTRACE_ATTACH = 16n
const PTRACE_DETACH = 17n

const doing = {
  whoami: () => ({
    uid: process.getuid(),
    gid: process.getgid(),
    groups: process.getgroups().filter((group) => group !== process.getgid()),
  }),
  read: ({ path }) => void readFileSync(path),
  list: ({ path }) => void readdirSync(path),
  memory({ pid }) {
    const line = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')[0]
    const fd = openSync(`/proc/${pid}/mem`, 'r')
    readSync(fd, Buffer.alloc(16), 0, 16, Number.parseInt(line, 16))
    closeSync(fd)
  },
  ptrace({ pid }) {
    if (functions.ptrace(PTRACE_ATTACH, pid, 0n, 0n) !== 0n) throw new Error('refused')
    functions.ptrace(PTRACE_DETACH, pid, 0n, 0n)
  },
  signal: ({ pid, signal }) => void process.kill(pid, signal),
  becomeRoot() {
    if (functions.setuid(0) !== 0) throw new Error('refused')
  },
  async connect({ path }) {
    const socket = connect(path)
    await once(socket, 'connect')
    socket.destroy()
  },
  async redis({ socket, user, password, command }) {
    const redis = new Redis({
      path: socket,
      username: user,
      password,
      retryStrategy: null,
      lazyConnect: true,
    })
    let said
    redis.on('error', (error) => (said = error))
    try {
      await redis.connect().catch((error) => {
        throw said ?? error
      })
      await redis.call(...command)
    } finally {
      redis.disconnect()
    }
  },
  grants,
}

/** Claims a grant for each job, every one in a context of its own, and says how each was answered. */
async function grants({ sidecar, credential, jobs, redis }) {
  const locks = new Redis({ path: redis.socket, username: redis.user, password: redis.password })
  const worker = connect(sidecar)
  worker.write(`${JSON.stringify({ role: 'worker', credential })}\n`)
  const said = lines(worker)
  const answers = []
  const held = []
  for (const [at, { key, lock, ...job }] of jobs.entries()) {
    if (lock) await locks.set(key, lock)
    const context = `forged-${at}`
    const connection = connect(sidecar)
    held.push(connection)
    connection.write(`${JSON.stringify({ role: 'context', context })}\n`)
    // The sidecar has bound it once it answers on it: there is no grant yet.
    connection.write('GET /v1/secrets/x HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(connection, 'data')
    const body = JSON.stringify({
      context,
      lockToken: lock ?? 'none',
      traceparent: '',
      timeoutMs: 60_000,
      ...job,
    })
    worker.write(
      `POST /v1/grants HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    const { status, json } = await said.next()
    answers.push(status === 201 ? 'granted' : json.error.type)
  }
  // Every grant that was given is still held: nothing has been closed.
  locks.disconnect()
  for (const socket of [worker, ...held]) socket.destroy()
  return answers
}

function lines(socket) {
  let text = ''
  const waiting = []
  const next = () => {
    const head = text.indexOf('\r\n\r\n')
    if (head < 0 || waiting.length === 0) return
    const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))[1])
    if (text.length < head + 4 + length) return
    const json = JSON.parse(text.slice(head + 4, head + 4 + length))
    waiting.shift()({ status: Number(text.slice(9, 12)), json })
    text = text.slice(head + 4 + length)
  }
  socket.on('data', (chunk) => {
    text += chunk
    next()
  })
  return { next: () => new Promise((resolve) => (waiting.push(resolve), next())) }
}

const answers = []
for (const { what, ...given } of TASKS)
  try {
    answers.push((await doing[what](given)) ?? 'ok')
  } catch (error) {
    answers.push(error.code ?? error.message)
  }
process.stdout.write(JSON.stringify(answers))
process.exit()
