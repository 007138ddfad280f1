import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { probeLevels } from '#lib/context'
import type { record } from '../../../services/cli/doctor/report.ts'
import { runCli } from '../../support/cli.ts'
import { withoutUserNamespaces } from '../../support/no-user-namespaces.ts'

describe('threadbound doctor', () => {
  test('says of this host what a launcher finds', async () => {
    const { code, stdout, stderr } = await runCli(['doctor', '--json'])
    const found = JSON.parse(stdout) as ReturnType<typeof record>
    const levels = await probeLevels()
    expect(found.levels).toEqual(JSON.parse(JSON.stringify(levels)))
    expect(found.ready).toBe(levels.some(({ level, available }) => level === 'namespace' && available))
    expect([code, stderr]).toEqual([found.ready ? 0 : 1, ''])
    expect(found.host['node']).toBe(process.version)
    expect(found.host['memory-limits-by']).toMatch(/^(cgroup-v1|cgroup-v2|rlimit-data)$/)
    if (process.getuid!() === 0) expect(found.host['uids-left']).toMatch(/^\d+ of \d+ until reboot$/)
  })

  test('prints the same for people', async () => {
    const { stdout } = await runCli(['doctor'])
    for (const { level, available } of await probeLevels())
      expect(stdout).toMatch(
        new RegExp(`^${level} +${available ? 'available' : 'missing: .+ To get it: .+'}`, 'm'),
      )
  })

  test.runIf(process.getuid!() === 0)(
    'without user namespaces it exits 1 and says how to get them',
    async () => {
      const child = await withoutUserNamespaces(['doctor'])
      const [stdout, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')])
      expect(code).toBe(1)
      expect(stdout).toMatch(/^namespace +missing: .+ To get it: .*max_user_namespaces/m)
      expect(stdout).toContain('does not run here')
    },
  )
})
