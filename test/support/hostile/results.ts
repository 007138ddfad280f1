import { everywhere, type Hostile } from './hostile.ts'

const INVALID = everywhere('failed invalid-output')
const TOO_LARGE = everywhere('failed result-too-large')
const UNREADABLE = everywhere('failed unreadable')
const FINE = everywhere('completed "fine"')

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let at = 0; at < depth; at++) value = [value]
  return value
}

/** Deeper for everyone who looks. */
const abyss = (): object => new Proxy({}, { get: abyss, ownKeys: () => ['a'], getOwnPropertyDescriptor: own })
const own = () => ({ configurable: true, enumerable: true, value: 1 })
const unreadable = () =>
  Object.defineProperties(new Error('x'), {
    message: { get: () => explode() },
    stack: { get: () => explode() },
    type: { get: () => explode() },
  })
function explode(): never {
  throw unreadable()
}

/** Attempts that end in a strange way, or whose result is no plain value. */
export const results: Hostile[] = [
  {
    name: 'a late throw after returning',
    attack() {
      setTimeout(explode)
      setImmediate(explode)
      process.on('exit', explode)
      return 'fine'
    },
    ends: FINE,
  },
  {
    name: 'a late throw before returning',
    attack: () => new Promise(() => setTimeout(() => JSON.parse('{'))),
    ends: everywhere('failed SyntaxError'),
  },
  {
    name: 'an unhandled rejection',
    attack() {
      void Promise.reject(new RangeError('nobody looks'))
      return new Promise(() => {})
    },
    ends: everywhere('failed RangeError'),
  },
  {
    name: 'an error that cannot be read',
    attack: () => explode(),
    ends: UNREADABLE,
  },
  { name: 'null, thrown', attack: () => Promise.reject(null), ends: everywhere('failed Error') },
  {
    name: 'a proxy, thrown',
    attack: () => Promise.reject(new Proxy(new Error('x'), { get: explode, getPrototypeOf: explode })),
    ends: UNREADABLE,
  },
  { name: 'a huge result', attack: () => 'x'.repeat(2 ** 23), ends: TOO_LARGE },
  {
    name: 'a result of a million keys',
    attack: () => Object.fromEntries(Array.from({ length: 1e6 }, (_, at) => [`k${at}`, at])),
    // It may be the million keys that do not fit.
    ends: everywhere('failed result-too-large', 'out-of-memory'),
  },
  {
    name: 'a cyclic result',
    attack() {
      const self: Record<string, unknown> = {}
      return Object.assign(self, { self })
    },
    ends: INVALID,
  },
  { name: 'a result 100 deep', attack: () => nested(100), ends: everywhere('failed result-too-deep') },
  { name: 'a result 100,000 deep', attack: () => nested(1e5), ends: everywhere('failed result-too-deep') },
  { name: 'a proxy without a floor', attack: () => abyss(), ends: everywhere('failed result-too-deep') },
  {
    name: 'a getter that throws',
    attack: () => Object.defineProperty({}, 'x', { enumerable: true, get: () => JSON.parse('{') }),
    ends: INVALID,
  },
  { name: 'a toJSON that throws', attack: () => ({ toJSON: () => JSON.parse('{') }), ends: INVALID },
  {
    name: 'a toJSON that never ends',
    attack: () => ({
      toJSON() {
        for (;;);
      },
    }),
    ends: everywhere('timed-out'),
  },
  {
    name: 'a toJSON that gives nothing',
    attack: () => ({ toJSON() {} }),
    ends: everywhere('completed null'),
  },
  {
    name: 'a toJSON that gives another message',
    attack: () => ({ toJSON: () => ({ t: 'hello', __proto__: { polluted: true } }) }),
    ends: everywhere('completed {"t":"hello"}'),
  },
  {
    name: 'a toJSON of every object, that turns the frame itself into another',
    attack() {
      Object.assign(Object.prototype, { toJSON: () => ({ t: 'become-root' }) })
      return {}
    },
    ends: everywhere('failed protocol-violation'),
  },
  {
    name: 'a result with a __proto__ of its own',
    attack: () => JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    ends: everywhere(
      'completed {"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    ),
  },
  {
    name: 'a getter that throws what cannot be read',
    attack: () => Object.defineProperty({}, 'x', { enumerable: true, get: explode }),
    ends: UNREADABLE,
  },
  { name: 'a BigInt', attack: () => 1n, ends: INVALID },
  { name: 'a function', attack: () => explode, ends: everywhere('completed null') },
]
