import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/directory.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** The checkout's own npm settings and PATH entries for its scripts stay out. */
const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }

/** A copy of what the build reads: a pack that is cut short leaves the checkout's manifest alone. */
function pack(directory: string): string {
  const copy = join(directory, 'copy')
  for (const part of ['libs', 'services/cli', 'package.json', 'tsconfig.json', 'LICENSE'])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  const before = readFileSync(join(copy, 'package.json'), 'utf8')
  const packed = execFileSync('npm', ['pack', '--json', '--silent'], { cwd: copy, env, encoding: 'utf8' })
  expect(readFileSync(join(copy, 'package.json'), 'utf8')).toBe(before)
  return join(copy, (JSON.parse(packed) as [{ filename: string }])[0].filename)
}

test('the packed package installs offline into an empty project, with client, agent, types and command', () => {
  using temporary = temporaryDirectory()
  const tarball = pack(temporary.path)
  const project = join(temporary.path, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}')
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: project, env, encoding: 'utf8' })
  run('npm', 'install', '--offline', '--no-audit', '--no-fund', '--silent', tarball)
  expect(existsSync(join(project, 'node_modules/zod'))).toBe(false)

  const code = `import * as client from 'threadbound/client'; import * as agent from 'threadbound/agent'
    console.log(JSON.stringify([Object.keys(client), Object.keys(agent)]))`
  const [client, agent] = JSON.parse(run(process.execPath, '--input-type=module', '-e', code)) as [
    string[],
    string[],
  ]
  expect(client.length).toBeGreaterThan(0)
  expect(agent).toContain('defineAgent')

  expect(run('npx', '--no-install', 'threadbound', '--help')).toContain('enqueue')
  expect(() => run('npx', '--no-install', 'threadbound', 'demo')).toThrow(/needs a checkout/)

  const use = `import { defineAgent } from 'threadbound/agent'
    export default defineAgent({ async run(input: unknown) { return input } })
    export type { } from 'threadbound/client'\n`
  writeFileSync(join(project, 'use.ts'), use)
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--skipLibCheck',
    'false',
    '--types',
    'node',
  ]
  const typeRoots = ['--typeRoots', join(ROOT, 'node_modules/@types')]
  run(process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), ...options, ...typeRoots, 'use.ts')
})
