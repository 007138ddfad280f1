import { defineConfig } from 'vitest/config'

/** One project per kind of test: unit has no network and no real time; the others start real servers. */
const project = (name: string, extra: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...extra },
})
const real = {
  pool: 'forks' as const,
  testTimeout: 180_000,
  hookTimeout: 240_000,
  fileParallelism: false,
}

/**
 * What becomes true in the end is waited for as long as a busy machine takes: by itself `expect.poll` gives up after 1 s.
 * The slowest promise that a poll alone holds is that all of an attempt is gone 2 s after its end: 5 times that.
 */
const poll = { timeout: 10_000 }

export default defineConfig({
  test: {
    expect: { poll },
    projects: [
      project('unit', { testTimeout: 30_000 }),
      project('contract', real),
      project('integration', real),
      project('e2e', real),
      project('chaos', real),
    ],
  },
})
