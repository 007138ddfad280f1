import { everywhere, type Hostile } from './hostile.ts'

const never = new Promise(() => {})

/** Attempts that never end by themselves. */
export const time: Hostile[] = [
  {
    name: 'an endless loop',
    attack() {
      for (;;);
    },
    ends: everywhere('timed-out'),
  },
  {
    name: 'a catastrophic regular expression',
    attack: () => /^(\w+\s?)*$/.test(`${'word '.repeat(40)}!`),
    ends: everywhere('timed-out'),
  },
  { name: 'a promise that never settles', attack: () => never, ends: everywhere('timed-out') },
  {
    name: 'microtasks without end',
    async attack() {
      for (;;) await null
    },
    ends: everywhere('timed-out'),
  },
  {
    name: 'an abort signal that is ignored',
    attack: ({ signal }) => {
      signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
      setInterval(() => {}, 10)
      return never
    },
    ends: everywhere('timed-out'),
  },
  {
    name: 'a synchronous wait on shared memory',
    attack: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
    ends: everywhere('timed-out'),
  },
]
