import { Supervisor } from '../../services/dev/supervision/index.ts'
import { tinyService } from './tiny-service.ts'

// A supervisor in a process of its own, so that a test can kill it: `node tiny-supervisor.ts DIRECTORY RUNTIME MODES...`
const [directory, runtimeDir, ...modes] = process.argv.slice(2) as [string, string, ...string[]]
const supervisor = Supervisor.open({ logDir: directory, runtimeDir, say: () => {}, orphanGraceSeconds: 3 })
for (const [index, mode] of modes.entries()) {
  await supervisor.start(tinyService({ name: `tiny-${index}`, directory, mode }))
}
process.stdout.write('ready\n')
setInterval(() => {}, 1000)
