import { spawn } from 'node:child_process'
import { createSecretKey } from 'node:crypto'
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import * as v8 from 'node:v8'
import { past, UNBELTED } from './beyond.ts'
import { everywhere, type Hostile, walled, WITH_ITS_HOST } from './hostile.ts'

function hoard(make: (at: number) => unknown): never {
  const held: unknown[] = []
  for (let at = 0; ; at++) held.push(make(at))
}

const OOM = 'out-of-memory'
/** No heap flag counts these; at `thread` they count against the host of all threads. */
const UNCOUNTED = walled(WITH_ITS_HOST, OOM)

/** The allocators. */
export const memory: Hostile[] = [
  {
    name: 'small arrays',
    attack: () => hoard((at) => [at, at, at]),
    // V8 ends the whole process where a thread overtakes the end of its heap.
    ends: UNCOUNTED,
  },
  // These two abort the whole process that they are in.
  { name: 'Array(1e8), filled', attack: () => hoard(() => Array(1e8).fill(7)), ends: UNCOUNTED },
  { name: 'a string spread', attack: () => hoard(() => [...'x'.repeat(1e8)]), ends: UNCOUNTED },
  { name: 'Buffer', attack: () => hoard(() => Buffer.alloc(2 ** 20, 1)), ends: UNCOUNTED },
  {
    name: 'SharedArrayBuffer',
    attack: () => hoard(() => new Uint8Array(new SharedArrayBuffer(2 ** 20)).fill(1)),
    ends: UNCOUNTED,
  },
  {
    name: 'Wasm memory',
    attack() {
      const memory = new (globalThis as any).WebAssembly.Memory({ initial: 16 })
      for (;;) {
        const page = memory.grow(16) as number
        new Uint8Array(memory.buffer, page * 2 ** 16).fill(1)
      }
    },
    ends: UNCOUNTED,
  },
  {
    name: 'native: keys',
    attack: () => hoard(() => createSecretKey(Buffer.alloc(2 ** 20, 1))),
    ends: UNCOUNTED,
  },
  {
    name: 'native: sqlite',
    attack() {
      const database = new DatabaseSync(':memory:')
      database.exec('CREATE TABLE held (x BLOB)')
      const insert = database.prepare('INSERT INTO held VALUES (zeroblob(4000000))')
      for (;;) insert.run()
    },
    ends: UNCOUNTED,
  },
  {
    name: 'a heap whose limit is raised from inside',
    attack() {
      v8.setFlagsFromString('--max-old-space-size=8192')
      v8.setFlagsFromString('--max-heap-size=8192')
      hoard((at) => ({ at, text: `x${at}` }))
    },
    // A thread is refused V8's flags, which are its host's.
    ends: walled(['failed Error'], OOM),
  },
  {
    name: 'a child process that allocates',
    async attack() {
      const source = 'const held = []; for (;;) held.push(Buffer.alloc(2 ** 20, 1))'
      const child = spawn(process.execPath, [...UNBELTED, '-e', source], { stdio: 'ignore', env: {} })
      return (await once(child, 'exit'))[1]
    },
    ends: everywhere('failed Error'),
    // cgroup v2 ends all processes of the context, v1 the largest: then what is left of the attempt may go on.
    permitted: walled('not promised', OOM, 'completed "SIGKILL"'),
  },
  {
    name: 'files in the folders for temporary files',
    attack: (_ctx, facts) =>
      past(facts, () => {
        const fs = process.getBuiltinModule('node:fs')
        return ['/tmp', '/dev/shm', '/var/tmp'].map((folder) => {
          try {
            for (let at = 0; at < 200; at++) fs.appendFileSync(`${folder}/held`, Buffer.alloc(2 ** 20, 1))
          } catch (error) {
            return (error as NodeJS.ErrnoException).code
          }
          return 'wrote 200 MiB'
        })
      }),
    ends: {
      thread: 'not promised',
      process: [`completed ["ERR_ACCESS_DENIED","ERR_ACCESS_DENIED","ERR_ACCESS_DENIED"]`],
      namespace: [`completed ["ENOSPC","ENOSPC","ERR_ACCESS_DENIED"]`],
    },
    permitted: {
      process: [`completed ["EROFS","EROFS","EROFS"]`],
      namespace: [`completed ["ENOSPC","ENOSPC","ENOENT"]`],
    },
  },
]
