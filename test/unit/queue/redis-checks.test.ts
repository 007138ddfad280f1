import type { Redis } from 'ioredis'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { RedisRefusedError } from '#lib/queue'
import { checkRedis } from '../../../libs/queue/redis-checks.ts'

interface Facts {
  version?: string
  policy?: string | null
  config?: string
}

/** A Redis that only knows INFO and CONFIG GET. */
function setup({ version = '7.0.15', policy = 'noeviction', config = 'denied' }: Facts) {
  const info = `# Server\r\nredis_version:${version}\r\n${policy === null ? '' : `maxmemory_policy:${policy}\r\n`}`
  const redis = {
    info: async () => info,
    config: async () => {
      if (config === 'denied') throw new Error('NOPERM this user has no permissions')
      return ['maxmemory-policy', config]
    },
  } as unknown as Redis
  const lines: string[] = []
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) })
  return { check: () => checkRedis(redis, log), warnings: () => lines.map((line) => JSON.parse(line).msg) }
}

test.each(['5.0.14', '6.0.20', '6.1.99'])('Redis %s is refused as too old', async (version) => {
  const { check } = setup({ version })
  await expect(check()).rejects.toThrow(RedisRefusedError)
  await expect(check()).rejects.toThrow(/6\.2 or newer/)
})

test.each(['6.2.0', '7.0.7'])('Redis %s is used with a warning', async (version) => {
  const { check, warnings } = setup({ version })
  await check()
  expect(warnings()).toEqual([expect.stringMatching(/older than 7\.0\.8/)])
})

test.each(['7.0.8', '7.2.4', '10.0.0'])('Redis %s is used without one', async (version) => {
  const { check, warnings } = setup({ version })
  await check()
  expect(warnings()).toEqual([])
})

test.each(['allkeys-lru', 'volatile-ttl'])('the policy %s is refused', async (policy) => {
  await expect(setup({ policy }).check()).rejects.toThrow(/expected "noeviction"/)
  await expect(setup({ policy: null, config: policy }).check()).rejects.toThrow(/expected "noeviction"/)
})

test('a policy that neither INFO nor CONFIG tells is a warning', async () => {
  const { check, warnings } = setup({ policy: null })
  await check()
  expect(warnings()).toEqual([expect.stringMatching(/must be noeviction/)])
})
