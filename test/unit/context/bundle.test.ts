import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { AgentBuildError, bundleAgent, buildChildEntry } from '#lib/context'

const made: string[] = []
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder with these files; the cluster's root is `root` below it. */
function setup(files: Record<string, string>): { root: string; file: string; path(name: string): string } {
  const folder = mkdtempSync(join(tmpdir(), 'tb-bundle-'))
  made.push(folder)
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return {
    root: join(folder, 'root'),
    file: join(folder, 'root/agent.ts'),
    path: (name) => join(folder, name),
  }
}

const AGENT = `import { defineAgent } from 'threadbound/agent'\n`
const problems = async (world: { root: string; file: string }) => {
  const error = await bundleAgent(world).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(AgentBuildError)
  return (error as AgentBuildError).problems.join('\n')
}

const of = (name: string) =>
  setup({
    'root/agent.ts': `${AGENT}import x from './${name}'\nexport default defineAgent({ run: () => x })`,
    [`root/${name}`]: 'x',
  })

const children = () =>
  execFileSync('ps', ['--ppid', String(process.pid), '-o', 'args='], { encoding: 'utf8' })

describe('bundling an agent', () => {
  test('the same content gives the same hash, and other content another', async () => {
    const one = setup({ 'root/agent.ts': `${AGENT}export default defineAgent({ run: () => 1 })` })
    const other = setup({ 'root/agent.ts': `${AGENT}export default defineAgent({ run: () => 2 })` })
    const [a, b, c] = await Promise.all([bundleAgent(one), bundleAgent(one), bundleAgent(other)])
    expect(a.hash).toBe(b.hash)
    expect(a.hash).not.toBe(c.hash)
  })

  test('files of the folder, JSON and packages that Node would find are part of it', async () => {
    const world = setup({
      'root/agent.ts': `${AGENT}import { n } from './lib/n.ts'\nimport d from './d.json'\nimport p from 'pack'\nexport default defineAgent({ run: () => [n, d.x, p] })`,
      'root/lib/n.ts': 'export const n: string = "from-ts"',
      'root/d.json': '{"x": "from-json"}',
      'node_modules/pack/package.json': '{"name": "pack", "main": "i.js"}',
      'node_modules/pack/i.js': 'module.exports = "from-pack"',
    })
    const { code } = await bundleAgent(world)
    for (const part of ['from-ts', 'from-json', 'from-pack']) expect(code).toContain(part)
  })

  test.each([
    ['a parent folder', `import x from '../secret.json'`],
    ['an absolute path', `import x from '/proc/../etc/adduser.conf'`],
    ['a symlink that leads out', `import x from './link.json'`],
    [
      'a dynamic import',
      `const x = await0(import('../secret.json'))\nfunction await0(p: unknown) { return p }`,
    ],
  ])('%s outside of the root is refused', async (_, line) => {
    const world = setup({
      'root/agent.ts': `${AGENT}${line}\nexport default defineAgent({ run: () => x })`,
      'secret.json': '{"secret": "do-not-pack"}',
    })
    symlinkSync(world.path('secret.json'), world.path('root/link.json'))
    const text = await problems(world)
    expect(text).toContain("outside of the cluster file's folder")
    expect(text).toContain('agent.ts:2:')
  })

  test('a handler that is itself a link out of the root is refused', async () => {
    const world = setup({
      'outside.ts': `${AGENT}export default defineAgent({ run: () => 1 })`,
      'root/x.json': '{}',
    })
    symlinkSync(world.path('outside.ts'), world.file)
    expect(await problems(world)).toContain('outside')
  })

  test('native addons and other kinds of files are refused', async () => {
    expect(await problems(of('a.node'))).toContain('native addons are refused')
    expect(await problems(of('a.txt'))).toContain('only js, ts and json')
  })

  test('an error names the file and the line', async () => {
    expect(
      await problems(setup({ 'root/agent.ts': `${AGENT}\nexport default defineAgent({ run( => 1 })` })),
    ).toMatch(/agent\.ts:3:\d+/)
    expect(await problems(setup({ 'root/agent.ts': 'export const a = 1' }))).toMatch(/agent\.ts.*default/)
    expect(await problems(setup({ 'root/agent.ts': `import 'no-such-package'` }))).toContain(
      'no-such-package',
    )
  })

  test('the prompt agent holds its system text and no schema library', async () => {
    const { root } = setup({ 'root/x.json': '{}' })
    const { code } = await bundleAgent({ root, system: 'Answer briefly.' })
    expect(code).toContain('Answer briefly.')
    expect(code.length).toBeLessThan(5000)
  })

  test('no service process is left after bundling', async () => {
    await bundleAgent(setup({ 'root/agent.ts': `${AGENT}export default defineAgent({ run: () => 1 })` }))
    await expect.poll(children).not.toContain('esbuild')
  })

  test('what every context starts with is small and holds no zod', async () => {
    const entry = await buildChildEntry()
    expect(entry.length).toBeLessThan(60_000)
    expect(entry).not.toContain('ZodError')
  })
})
