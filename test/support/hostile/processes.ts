import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { UNBELTED } from './beyond.ts'
import { everywhere, type Hostile, walled } from './hostile.ts'

const never = new Promise(() => {})
const REFUSED = 'failed Error'
/** With the permission a thread's host starts the child: all that it started is killed with the host alone. */
const WITH_HOST = 'not promised' as const

/** A Node child that runs `source`, in a session of its own. */
function start(source: string) {
  return spawn(process.execPath, [...UNBELTED, '-e', source], { detached: true, stdio: 'ignore', env: {} })
}

const AGAIN = `
  const { spawn } = require('node:child_process')
  const source = process.env.SOURCE
  for (;;) spawn(process.execPath, [${UNBELTED.map((one) => JSON.stringify(one)).join()}, '-e', source],
    { detached: true, stdio: 'ignore', env: { SOURCE: source } }).on('error', () => {}).unref()
`

/** Attempts that start, stop or kill processes. */
export const processes: Hostile[] = [
  {
    name: 'a fork bomb',
    async attack() {
      const args = [...UNBELTED, '-e', AGAIN]
      const first = spawn(process.execPath, args, { detached: true, stdio: 'ignore', env: { SOURCE: AGAIN } })
      await once(first, 'spawn')
      return never
    },
    ends: everywhere(REFUSED),
    permitted: walled(WITH_HOST, 'timed-out', 'out-of-memory', 'failed Error'),
  },
  {
    name: 'a fork bomb of shells',
    async attack() {
      const bomb = spawn('/bin/sh', ['-c', 'f() { f | f & }; f'], { detached: true, stdio: 'ignore' })
      await once(bomb, 'spawn')
      return never
    },
    ends: everywhere(REFUSED),
    // Inside the namespaces there is no shell.
    permitted: { thread: WITH_HOST, process: ['timed-out', 'out-of-memory'], namespace: [REFUSED] },
  },
  {
    name: 'a daemon, forked twice',
    async attack() {
      const daemon = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`
      const source = `require('node:child_process').spawn(process.execPath, ${JSON.stringify([...UNBELTED, '-e', daemon])},
        { detached: true, stdio: 'ignore', env: {} }).once('spawn', () => process.exit(7))`
      return (await once(start(source), 'exit'))[0]
    },
    ends: everywhere(REFUSED),
    permitted: walled(WITH_HOST, 'completed 7'),
  },
  {
    name: 'a process that ignores signals',
    attack() {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => {})
      process.kill(process.pid, 'SIGTERM')
      return never
    },
    ends: walled('not promised', 'timed-out'),
  },
  {
    name: 'a child that ignores signals',
    async attack() {
      const child = start(`process.on('SIGTERM', () => {}); process.on('SIGHUP', () => {}); for (;;);`)
      await once(child, 'spawn')
      child.kill('SIGTERM')
      return 'started'
    },
    ends: everywhere(REFUSED),
    permitted: walled(WITH_HOST, 'completed "started"'),
  },
  {
    name: 'a process that stops itself',
    attack: () => process.kill(process.pid, 'SIGSTOP'),
    ends: walled('not promised', 'timed-out'),
  },
  { name: 'process.exit(0)', attack: () => process.exit(0), ends: everywhere('failed exited') },
  {
    name: 'process.abort()',
    attack: () => process.abort(),
    // In a thread Node refuses it.
    ends: walled(['failed TypeError'], 'failed crashed'),
  },
  {
    name: 'a kill of itself',
    attack: () => process.kill(process.pid, 'SIGKILL') && never,
    ends: walled('not promised', 'failed crashed'),
  },
  {
    name: 'a kill of its parent, worker, launcher and neighbours',
    attack(_ctx, { pids }) {
      for (const pid of [process.ppid, ...pids])
        for (const signal of ['SIGSTOP', 'SIGTERM', 'SIGUSR1', 'SIGKILL'] as const)
          try {
            process.kill(pid, signal)
          } catch {}
      return 'tried'
    },
    ends: walled('not promised', 'completed "tried"'),
  },
  {
    name: 'a kill of all that it may kill, from a child',
    attack() {
      const args = [...UNBELTED, '-e', 'process.getuid() && process.kill(-1, "SIGKILL")']
      spawnSync(process.execPath, args, { env: {} })
      return 'it lives'
    },
    ends: walled('not promised', REFUSED),
    permitted: walled('not promised', 'failed crashed'),
  },
]
