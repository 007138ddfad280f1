/**
 * Loaded into a worker by `--import`, and by that into its launcher: on SIGUSR2 a process collects its garbage, has libc give
 * back what is free, and says so on stderr. What is measured then is what it holds, not when V8 last felt like collecting,
 * nor how many pages malloc kept of what a collection needed: the first is a factor of two, the second a fifth.
 */
import childProcess, { type SpawnOptions } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: object) => void
const { dlopen } = process.getBuiltinModule('node:ffi')
const { functions: libc } = dlopen(null, { malloc_trim: { arguments: ['uint64'], return: 'int32' } })
process.on('SIGUSR2', () => {
  collect({ type: 'major', flavor: 'last-resort' })
  libc.malloc_trim(0n)
  process.stderr.write(`collected ${process.pid} heap ${process.memoryUsage().heapUsed}\n`)
})

const { spawn } = childProcess
const withThis = (arg: string) =>
  arg === '--title=threadbound-launcher' ? ['--import', import.meta.url, arg] : [arg]
childProcess.spawn = ((file: string, args: string[], options: SpawnOptions) =>
  spawn(file, args.flatMap(withThis), options)) as typeof spawn
syncBuiltinESMExports()
