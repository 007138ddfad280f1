import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Supervisor } from '../../../services/dev/supervision/index.ts'
import { temporaryDirectory } from '../../support/directory.ts'
import { isAlive, notes, pidsOf, tinyService, until } from '../../support/tiny-service.ts'

function setup() {
  const temporary = temporaryDirectory()
  const directory = temporary.path
  const said: string[] = []
  const runtimeDir = join(directory, 'runtime')
  mkdirSync(runtimeDir)
  const supervisor = Supervisor.open({ logDir: directory, runtimeDir, say: (line) => said.push(line) })
  return {
    directory,
    said,
    supervisor,
    runtimeDir,
    async [Symbol.asyncDispose]() {
      await supervisor[Symbol.asyncDispose]()
      temporary[Symbol.dispose]()
    },
  }
}

describe('starting', () => {
  test('a service is ready when it says so, with the facts it announces, in a process group of its own', async () => {
    await using world = setup()
    const facts = await world.supervisor.start(tinyService({ name: 'a', directory: world.directory }))
    const pid = world.supervisor.services()[0]!.pid!
    expect(facts).toEqual({ url: `tiny://${pid}` })
    expect(process.kill(-pid, 0)).toBe(true)
  })

  test('a service that dies before it is ready fails at once, with its name and last lines', async () => {
    await using world = setup()
    const started = world.supervisor.start(
      tinyService({ name: 'unlucky', directory: world.directory, mode: 'die-at-once' }),
    )
    await expect(started).rejects.toThrow(/unlucky did not start: ended with exit code 7[^]*\| no such luck/)
  })

  test('a service that is never ready is given up, and killed with what it started', async () => {
    await using world = setup()
    const mode = 'never-ready,stubborn,child'
    const spec = tinyService({
      name: 'mute',
      directory: world.directory,
      mode,
      readyTimeoutMs: 3000,
      stopTimeoutMs: 50,
    })
    await expect(world.supervisor.start(spec)).rejects.toThrow('mute did not start: was not ready after 3 s')
    await until(
      'both gone',
      () => pidsOf(world.directory).length > 1 && !pidsOf(world.directory).some(isAlive),
    )
  })

  test('a program that is not there is an error with its name', async () => {
    await using world = setup()
    const spec = tinyService({ name: 'absent', directory: world.directory })
    await expect(
      world.supervisor.start({
        ...spec,
        launch: () => ({ command: '/nonexistent/program', args: [], env: {} }),
      }),
    ).rejects.toThrow(/absent did not start: cannot be run: ENOENT/)
  })
})

describe('keeping running', () => {
  test('a service that is killed is started again, and its children are not left', async () => {
    await using world = setup()
    await world.supervisor.start(tinyService({ name: 'a', directory: world.directory, mode: 'child' }))
    const first = pidsOf(world.directory)
    process.kill(world.supervisor.services()[0]!.pid!, 'SIGKILL')
    await until('it runs again', () => world.supervisor.services()[0]!.restarts === 1)
    expect(first).toHaveLength(2)
    expect(first.filter((pid) => isAlive(pid))).toEqual([])
    expect(world.said).toEqual(['a ended by SIGKILL', 'a runs again'])
  })

  test('a restart is told what the service announced before, so that it can keep its address', async () => {
    await using world = setup()
    const seen: unknown[] = []
    const spec = tinyService({ name: 'a', directory: world.directory })
    const facts = await world.supervisor.start({
      ...spec,
      launch: (previous) => {
        seen.push(previous)
        return spec.launch(previous)
      },
    })
    process.kill(world.supervisor.services()[0]!.pid!, 'SIGKILL')
    await until('it runs again', () => world.supervisor.services()[0]!.restarts === 1)
    expect(seen).toEqual([undefined, facts])
  })
})

describe('stopping', () => {
  test('phases stop in order, each only when the one before is gone, and nothing is left', async () => {
    await using world = setup()
    for (const [name, stopPhase] of [
      ['last', 3],
      ['middle', 2],
      ['first', 1],
    ] as const) {
      await world.supervisor.start(
        tinyService({ name, stopPhase, directory: world.directory, mode: 'child' }),
      )
    }
    await world.supervisor[Symbol.asyncDispose]()
    const ends = notes(world.directory).filter(({ what }) => what === 'SIGTERM')
    expect(ends.map(({ name }) => name)).toEqual(['first', 'middle', 'last'])
    expect(pidsOf(world.directory).filter((pid) => isAlive(pid))).toEqual([])
    expect(existsSync(world.runtimeDir)).toBe(false)
  })

  test('a service that does not end is killed after its time', async () => {
    await using world = setup()
    const spec = tinyService({ name: 'a', directory: world.directory, mode: 'stubborn', stopTimeoutMs: 100 })
    await world.supervisor.start(spec)
    await world.supervisor[Symbol.asyncDispose]()
    expect(pidsOf(world.directory).filter((pid) => isAlive(pid))).toEqual([])
  })

  test('a stop in the middle of a start ends what is starting', async () => {
    await using world = setup()
    const started = world.supervisor.start(
      tinyService({ name: 'slow', directory: world.directory, mode: 'never-ready,child' }),
    )
    const refused = expect(started).rejects.toThrow('slow was not started: the supervisor is stopping')
    await until('both run', () => pidsOf(world.directory).length === 2)
    await world.supervisor[Symbol.asyncDispose]()
    await refused
    expect(pidsOf(world.directory).filter((pid) => isAlive(pid))).toEqual([])
  })

  test('killNow leaves no process, however stubborn', async () => {
    await using world = setup()
    await world.supervisor.start(
      tinyService({ name: 'a', directory: world.directory, mode: 'stubborn,child' }),
    )
    world.supervisor.killNow()
    await until('all are gone', () => !pidsOf(world.directory).some(isAlive))
  })
})

test('when the supervisor is killed, no process and no runtime directory is left', async () => {
  using temporary = temporaryDirectory()
  const runtimeDir = join(temporary.path, 'runtime')
  mkdirSync(runtimeDir)
  const program = fileURLToPath(new URL('../../support/tiny-supervisor.ts', import.meta.url))
  const args = [program, temporary.path, runtimeDir, 'child', 'stubborn,child', '']
  const supervisor = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(supervisor.stdout, 'data')
  expect(pidsOf(temporary.path).filter((pid) => isAlive(pid))).toHaveLength(5)
  supervisor.kill('SIGKILL')
  await until('all are gone', () => !pidsOf(temporary.path).some(isAlive))
  await until('the directory is gone', () => !existsSync(runtimeDir))
  const told = notes(temporary.path).filter(({ what }) => what === 'supervisor-gone')
  expect(told.map(({ name }) => name).toSorted()).toEqual(['tiny-0', 'tiny-1', 'tiny-2'])
})
