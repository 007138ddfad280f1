import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'

const READERS = [
  ['docker-compose', ['config']],
  ['docker', ['compose', 'config']],
] as const

/** The tools on this machine that read docker-compose.yml. */
const installed = READERS.filter(([command, args]) => {
  const { status } = spawnSync(command, [...args.slice(0, -1), 'version'], { stdio: 'ignore' })
  return status === 0
})

test.runIf(installed.length > 0 || process.env['CI'])(
  'docker-compose.yml is read without a complaint',
  () => {
    expect(installed, 'install docker-compose (Debian: apt-get install docker-compose)').not.toEqual([])
    for (const [command, args] of installed) {
      const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
      expect(stderr.replaceAll(/^.*(?:obsolete|CryptographyDeprecation).*\n?/gm, '')).not.toMatch(
        /error|warn|invalid/i,
      )
      expect(status, `${command} ${args.join(' ')}`).toBe(0)
      for (const service of [
        'redis',
        'vault',
        'postgres',
        'jaeger',
        'producer',
        'sidecar',
        'console',
        'worker-coordinator',
      ])
        expect(stdout).toMatch(new RegExp(`^ {2}${service}:`, 'm'))
    }
  },
)
