import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { temporaryDirectory } from '../support/directory.ts'

/** A cluster file of one agent type in a folder of its own. */
function folder(yaml: string, source = '') {
  const directory = temporaryDirectory()
  const file = join(directory.path, 'threadbound.yaml')
  mkdirSync(join(directory.path, 'agents'))
  writeFileSync(join(directory.path, 'agents/bad.ts'), source)
  writeFileSync(file, yaml)
  return { file, [Symbol.dispose]: () => directory[Symbol.dispose]() }
}

const refusal = (file: string) =>
  startCluster({ cluster: file }).then(
    async (cluster) => {
      await cluster[Symbol.asyncDispose]()
      return 'it started'
    },
    (error: Error) => error.message,
  )

describe('`up` shows why a handler cannot be served, and leaves nothing running', () => {
  test.each([
    [
      'does not compile',
      'export default {\n  run: async () => {\n',
      /agents\/bad\.ts:3:1: Unexpected end of file/,
    ],
    ['exports no agent', 'export default { run: 1 }\n', /agents\/bad\.ts.*expected defineAgent/],
  ])('one that %s', async (_what, source, why) => {
    const yaml =
      'cluster: bad\nenvironment: test\nagents:\n  bad: { type: thread-bound, handler: ./agents/bad.ts }\n'
    using world = folder(yaml, source)
    const said = await refusal(world.file)
    expect(said).toMatch(/worker-bad did not start: ended with exit code 1/)
    expect(said).toMatch(why)
  })
})

const SIX = `cluster: Bad Name
enviroment: test
agents:
  one: { type: thread-bond }
  two: { type: thread-bound, timeout: 10ms }
  three: { type: singleton, max-concurrency: 5 }
  four: { type: thread-bound, secrets: [nobody] }
`

describe('a cluster file with six mistakes', () => {
  test('shows all of them at once with their lines, in `check` and in `up`', async () => {
    using world = folder(SIX)
    const check = await runCli(['check', world.file])
    expect(check.code).toBe(1)
    const said = await refusal(world.file)
    for (const line of [1, 2, 4, 5, 6, 7])
      for (const text of [check.stderr, said]) expect(text).toMatch(new RegExp(`threadbound\\.yaml:${line}:`))
    expect(check.stderr).toContain('did you mean "environment"')
    const { problems } = JSON.parse((await runCli(['check', world.file, '--json'])).stdout)
    expect(problems.length).toBeGreaterThanOrEqual(6)
  })
})
