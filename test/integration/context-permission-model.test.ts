import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { buildChildEntry, bundleAgent, LevelUnavailableError, openLauncher } from '#lib/context'
import { openStage } from '../../services/cli/verify/stage.ts'
import { agentFolder, agentOf, attemptOf, levels, openWorld } from '../support/contexts.ts'
import { temporaryDirectory } from '../support/directory.ts'

const limits = {
  memoryBytes: 50e6,
  timeoutMs: 10_000,
  graceMs: 500,
  outputBytes: 10_000,
  loadTimeoutMs: 10_000,
}
const walled = levels.filter((level) => level !== 'thread')

describe.each(walled)("I3: Node's permission model is never off silently, at level %s", (level) => {
  test('on, by default; off, the receipt says so', async () => {
    const source = agentOf('return process.permission === undefined')
    await using world = await openWorld({ level, source })
    const usual = await world.run({})
    expect([usual.result, usual.receipt.permissionModel]).toEqual([false, undefined])

    using folder = agentFolder(source)
    const runtimeDir = join(folder.root, 'run')
    mkdirSync(runtimeDir, { mode: 0o700 })
    const [bundle, entry] = [await bundleAgent(folder), await buildChildEntry()]
    const { signal } = new AbortController()
    const options = { level, permissionModel: false, runtimeDir, brokerSocket: '', bundle, entry, limits }
    await using stage = await openStage({ ...options, canaries: 1, signal })
    const bare = await (await stage.acquire()).run(attemptOf({}), {}, signal)
    expect([bare.result, bare.receipt!.permissionModel]).toEqual([true, false])
  })

  test('it is refused where contexts could be given rights', async () => {
    using directory = temporaryDirectory()
    const opening = openLauncher({
      level,
      runtimeDir: directory.path,
      entry: ';',
      brokerSocket: join(directory.path, 'broker.sock'),
      permissionModel: false,
    })
    await expect(opening).rejects.toThrow(LevelUnavailableError)
    await expect(opening).rejects.toThrow('verification alone')
  })

  test('the launcher says so on stderr', async () => {
    using directory = temporaryDirectory()
    const script = join(directory.path, 'open.ts')
    const lib = new URL('../../libs/context/index.ts', import.meta.url).href
    writeFileSync(
      script,
      `import { openLauncher } from ${JSON.stringify(lib)}
       const options = { level: '${level}', runtimeDir: ${JSON.stringify(directory.path)}, entry: ';' } as const
       await using launcher = await openLauncher({ ...options, permissionModel: false })`,
    )
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    expect(await text(child.stderr)).toBe(
      `threadbound: contexts of a launcher at level ${level} run WITHOUT Node's permission model: verification alone\n`,
    )
  })
})
