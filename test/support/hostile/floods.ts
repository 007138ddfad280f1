import { setImmediate as turn } from 'node:timers/promises'
import { everywhere, type Hostile } from './hostile.ts'

const LIMIT = 'failed output-limit'
const LINE = 'x'.repeat(1000)
/** Code that never yields piles up what it says in its own memory, unless the worker has read too much of it before. */
const UNYIELDING = everywhere(LIMIT, 'out-of-memory')

async function flood(say: (at: number) => unknown): Promise<never> {
  for (let at = 0; ; at++) {
    await say(at)
    await turn()
  }
}

function deluge(say: () => unknown): never {
  for (;;) say()
}

/** Attempts that say too much. */
export const floods: Hostile[] = [
  { name: 'log lines', attack: ({ log }) => flood(() => log.info({ LINE }, LINE)), ends: everywhere(LIMIT) },
  {
    name: 'log lines, never yielding',
    attack: ({ log }) => deluge(() => log.info({ LINE }, LINE)),
    ends: UNYIELDING,
  },
  { name: 'progress', attack: (ctx) => flood(() => ctx.progress(LINE)), ends: everywhere(LIMIT) },
  {
    name: 'progress, never yielding',
    attack: (ctx) => deluge(() => ctx.progress(LINE)),
    ends: UNYIELDING,
  },
  { name: 'emitted values', attack: (ctx) => flood(() => ctx.emit({ LINE })), ends: everywhere(LIMIT) },
  {
    name: 'spans',
    attack: (ctx) => flood(() => ctx.span(LINE, () => {})),
    ends: everywhere(LIMIT),
  },
  {
    name: 'spans inside each other',
    attack(ctx) {
      const deeper = (): Promise<unknown> => ctx.span(LINE, deeper)
      return deeper()
    },
    ends: everywhere('failed RangeError', 'out-of-memory', LIMIT),
  },
  {
    name: 'calls at once',
    attack: (ctx) => Promise.all(Array.from({ length: 1000 }, () => ctx.call('never', 0))),
    ends: everywhere('failed protocol-violation'),
  },
  {
    name: 'calls one after the other',
    attack: (ctx) => flood(() => ctx.call('echo', LINE)),
    ends: everywhere('failed attempt-limit'),
  },
  { name: 'console output', attack: () => flood(() => console.log(LINE)), ends: everywhere(LIMIT) },
  {
    name: 'console output on both streams, never yielding',
    attack: () => deluge(() => void [console.log(LINE), console.error(LINE)]),
    ends: UNYIELDING,
  },
  {
    name: 'one line without an end',
    attack: () => deluge(() => process.stdout.write(LINE)),
    ends: UNYIELDING,
  },
  {
    name: 'warnings',
    attack: () => flood((at) => process.emitWarning(`${LINE}${at}`, { code: `W${at}` })),
    ends: everywhere(LIMIT),
  },
]
