import type * as Esbuild from 'esbuild'

let users = 0

/** Runs a build. esbuild's service process ends with the last build that is under way. */
export async function withBundler<T>(use: (esbuild: typeof Esbuild) => Promise<T>): Promise<T> {
  users++
  const esbuild = await import('esbuild')
  try {
    return await use(esbuild)
  } finally {
    if (--users === 0) await esbuild.stop()
  }
}
