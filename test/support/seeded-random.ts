/** Chances that come again with the same seed, so that a failure can be run again (mulberry32). */
export function seededRandom(seed: number) {
  let state = seed
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const upTo = (most: number) => Math.floor(random() * (most + 1))
  const pick = <T>(items: readonly T[]): T => items[upTo(items.length - 1)]!
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: upTo(most) }, make)
  return { random, upTo, pick, some, chance: (share: number) => random() < share }
}

export type SeededRandom = ReturnType<typeof seededRandom>
