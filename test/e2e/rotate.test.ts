import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startCluster, type TestCluster } from '../support/cluster.ts'
import { processesBelow } from '../support/processes.ts'
import { rotatedKey } from '../support/rotated-key.ts'

const FILE = join(import.meta.dirname, '../support/rotation/threadbound.yaml')
/** Timeout, both times of the cache and the skew. */
const GRACE_MS = 2000 + 1000 + 1000 + 2000
let cluster: TestCluster
let key: ReturnType<typeof rotatedKey>
beforeAll(async () => {
  cluster = await startCluster({ cluster: FILE })
  key = rotatedKey(cluster)
})
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]()
})

const status = async () => (await key.run('secrets', 'status', '--name', 'openai-api-key')).stdout
const rotator = () =>
  processesBelow(cluster.child.pid!).find(({ command }) =>
    command.at(-1)!.endsWith('services/rotator/main.ts'),
  )!.pid
const check = async (...args: string[]) => (await runCli(['check', FILE, ...args])).stdout

describe('a rotation by an operator', () => {
  test('a dry run says what would be done, and does nothing', async () => {
    const dry = await key.rotate('--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toContain('this would be done')
    expect(dry.stdout).toMatch(/keep both keys valid for \d+ s/)
    expect(await key.view()).toMatchObject({ state: 'idle', history: [] })
    expect(await status()).toMatch(/^rotation +idle$/m)
  })

  test('the new key is used at once, the old one ends after all who hold it, and the history says who and when', async () => {
    expect(await cluster.run('writer', { message: 'hi' })).toMatchObject({ outcome: 'completed' })
    const asked = await key.rotate('--now')
    expect(asked).toMatchObject({ code: 0, stderr: '' })
    await expect.poll(async () => (await key.record()).state, { timeout: 15_000 }).toBe('grace')
    const [old, live] = await key.values()
    // The grace stays for as long as it is looked at: a busy machine may take longer than it lasts.
    const stopped = rotator()
    process.kill(stopped, 'SIGSTOP')
    try {
      // First, since a use in the second half of the grace would make it longer.
      expect([await key.isAlive(old!), await key.isAlive(live!)]).toEqual([true, true])
      expect(await cluster.run('writer', { message: 'hi' })).toMatchObject({ outcome: 'completed' })
      expect(await status()).toMatch(/^both keys valid +until 20/m)
    } finally {
      process.kill(stopped, 'SIGCONT')
    }
    await expect.poll(async () => (await key.record()).state, { timeout: 30_000 }).toBe('idle')
    expect([await key.isAlive(old!), await key.isAlive(live!)]).toEqual([false, true])
    const { history } = await key.view()
    const states = history.map(({ state }: { state: string }) => state)
    expect(states).toEqual(['creating', 'created', 'verified', 'promoted', 'grace', 'revoked', 'idle'])
    expect(new Set(history.map(({ who }: { who: string }) => who)).size).toBe(1)
    expect(history.at(-1)).toMatchObject({ generation: 2 })
    const shown = (await key.run('rotations')).stdout
    expect(shown).toMatch(/\*\*\*/)
    for (const value of [old!, live!]) expect(shown).not.toContain(value)
  })

  test('--revoke-old waits for nobody', async () => {
    expect((await key.rotate('--now', '--revoke-old')).code).toBe(0)
    await expect
      .poll(async () => (await key.record()).history.at(-1), { timeout: 15_000 })
      .toMatchObject({ state: 'idle', generation: 3 })
    const { history } = await key.record()
    const at = (wanted: string) => history.findLast(({ state }: { state: string }) => state === wanted).at
    expect(at('revoked') - at('promoted')).toBeLessThan(GRACE_MS)
    const alive = await Promise.all((await key.values()).map((value) => key.isAlive(value)))
    expect(alive).toEqual([false, false, true])
  })

  test('a schedule is in force at once, is shown by check with who set it, and the one of the file comes back', async () => {
    const here = ['--data', cluster.data]
    expect(await check(...here)).toContain('openai-api-key: rotated daily, by the cluster file')
    const set = await key.rotate('--schedule', 'weekly')
    expect(set.stdout).toMatch(/^openai-api-key: rotated weekly, set by \S+$/m)
    expect(await check(...here)).toMatch(/openai-api-key: rotated weekly, set by \S+/)
    expect(await status()).toMatch(/^schedule +weekly, set by \S+$/m)
    expect(JSON.parse(await check(...here, '--json')).schedules).toMatchObject([{ every: 'weekly' }])
    expect(await check('--data', '/nowhere')).toContain('rotated daily, by the cluster file')
    expect((await key.rotate('--schedule', 'cluster-file')).code).toBe(0)
    expect(await check(...here)).toContain('openai-api-key: rotated daily, by the cluster file')
  })

  test.each<[string[], number, string]>([
    [['--schedule', 'sometimes'], 1, 'expected daily, weekly, monthly, or five cron fields'],
    [['--schedule', 'daily', '--now'], 2, '--schedule is for later'],
    [['--key-id', 'k'], 2, '--key-id names the key of --value'],
    [['--value', '-', '--dry-run'], 2, 'expected no --dry-run'],
  ])('%j is refused with exit %i: %s', async (args, code, why) => {
    const refused = await key.rotate(...args)
    expect(refused).toMatchObject({ code, stdout: '' })
    expect(refused.stderr).toContain(why)
  })

  test('a secret without rotate is not rotated, and says which ones are', async () => {
    const refused = await key.run('secrets', 'rotate', '--name', 'openai-admin-key')
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toContain('rotate for: openai-api-key')
  })
})
