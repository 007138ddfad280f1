import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Workload } from './contender.ts'

/** How each contender is given the handler: one bundled file, which is kinder to the others than their usual imports. */
const WRAPPERS = {
  /** Answers on descriptor 3 and stays, as a context does until it is killed. */
  spawn: `
    setInterval(() => {}, 1e6)
    handle({ holdMs: Number(process.argv.at(-1)) }).then((answer) => require('node:fs').writeSync(3, JSON.stringify(answer)))`,
  thread: `
    const { parentPort, workerData } = require('node:worker_threads')
    handle(workerData).then((answer) => parentPort.postMessage(answer))`,
  tinypool: `module.exports = handle`,
  bullmq: `module.exports = (job) => handle(job.data)`,
}
export type Script = keyof typeof WRAPPERS

/** Builds the scripts of a workload into `folder`; gives their paths. */
export async function buildScripts(folder: string, workload: Workload): Promise<Record<Script, string>> {
  mkdirSync(folder, { recursive: true })
  const handler = join(import.meta.dirname, 'agents', `handle-${workload}.ts`)
  const paths = {} as Record<Script, string>
  for (const [name, wrapper] of Object.entries(WRAPPERS)) {
    const outfile = join(folder, `${workload}-${name}.cjs`)
    paths[name as Script] = outfile
    await build({
      stdin: {
        contents: `const { handle } = require(${JSON.stringify(handler)})\n${wrapper}`,
        resolveDir: import.meta.dirname,
      },
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node26',
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
      outfile,
    })
  }
  return paths
}
