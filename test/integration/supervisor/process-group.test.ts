import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { endGroup } from '../../../services/dev/supervision/process-group.ts'
import { isAlive } from '../../support/tiny-service.ts'

/** Takes the kernel a while to end: so much memory is given back first. */
const HEAVY = `const all = Buffer.alloc(1e9, 1); process.on('SIGTERM', () => {}); process.stdout.write('ready'); setInterval(() => all[0], 1e6)`

test('S3: a group that had to be killed is gone when its end resolves, not just told to go', async () => {
  const { pid, stdout } = spawn(process.execPath, ['-e', HEAVY], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(stdout, 'data')
  await endGroup(pid!, 0)
  expect(isAlive(pid!)).toBe(false)
})
