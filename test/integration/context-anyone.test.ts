import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { AttemptEnd } from '#lib/context'
import { levels } from '../support/contexts.ts'

const script = fileURLToPath(new URL('../support/as-anyone.ts', import.meta.url))
const UID = 61_234
const as = ['--reuid', `${UID}`, '--regid', `${UID}`, '--clear-groups', '--inh-caps=-all']
/** A checkout below a private home cannot be reached by another uid. */
const reachable = () =>
  process.getuid!() === 0 && spawnSync('setpriv', [...as, process.execPath, '--check', script]).status === 0

describe.runIf(levels.includes('namespace') && reachable())('I2 and I3 without root', () => {
  test('level namespace holds its limits without a cgroup and without a uid of its own', async () => {
    const run = promisify(execFile)
    const { stdout } = await run('setpriv', [...as, process.execPath, script], { env: { TMPDIR: '/tmp' } })
    const [plain, buffers, heap] = JSON.parse(stdout) as AttemptEnd[]
    expect([plain!.outcome, buffers!.outcome, heap!.outcome]).toEqual([
      'completed',
      'out-of-memory',
      'out-of-memory',
    ])
    expect(plain!.receipt).toMatchObject({ uid: UID, limits: { memoryBytes: { by: 'rlimit-data' } } })
    for (const end of [buffers!, heap!]) expect(end.receipt.peakBytes ?? 0).toBeLessThanOrEqual(60e6)
  })
})
