import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/directory.ts'
import { until } from '../../support/tiny-service.ts'

const COMMAND = fileURLToPath(new URL('../../../services/cli/threadbound.mjs', import.meta.url))

test('a demo that is interrupted while it starts leaves no data directory behind', async () => {
  using directory = temporaryDirectory()
  const demo = spawn(process.execPath, [COMMAND, 'demo'], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TMPDIR: directory.path },
    detached: true,
  })
  const said = text(demo.stderr)
  demo.stdout.resume()
  await until('it has made its data directory', () =>
    readdirSync(directory.path).some((name) => name.startsWith('threadbound-demo-')),
  )
  demo.kill('SIGINT')
  const [code] = (await once(demo, 'exit')) as [number]
  expect(code).toBe(130)
  expect(await said).toContain('threadbound: interrupted')
  expect(readdirSync(directory.path)).toEqual([])
})
