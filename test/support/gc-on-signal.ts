/**
 * Loaded into a worker by `--import`, and by that into its launcher: on SIGUSR2 a process collects its garbage and says so
 * on stderr. What is measured then is what it holds, not when V8 last felt like collecting: that alone is a factor of two.
 */
import childProcess, { type SpawnOptions } from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (how: object) => void
process.on('SIGUSR2', () => {
  collect({ type: 'major', flavor: 'last-resort' })
  process.stderr.write(`collected ${process.pid} heap ${process.memoryUsage().heapUsed}\n`)
})

const { spawn } = childProcess
const withThis = (arg: string) =>
  arg.endsWith('/services/launcher/main.ts') ? ['--import', import.meta.url, arg] : [arg]
childProcess.spawn = ((file: string, args: string[], options: SpawnOptions) =>
  spawn(file, args.flatMap(withThis), options)) as typeof spawn
syncBuiltinESMExports()
