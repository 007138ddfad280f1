import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { startPostgres } from '../../support/postgres.ts'
import { startRedis } from '../../support/redis.ts'

describe('Redis as `up` starts it', () => {
  test('nobody gets in without a password, and nothing listens on TCP', async () => {
    await using redis = await startRedis()
    const stranger = new Redis({ path: redis.socket, retryStrategy: () => null })
    await expect(stranger.ping()).rejects.toThrow(/NOAUTH/)
    stranger.disconnect()
    const client = redis.client()
    expect(await client.config('GET', 'port')).toEqual(['port', '0'])
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    client.disconnect()
  })

  test('what was written is there again after a kill', async () => {
    await using redis = await startRedis()
    const client = redis.client()
    await client.set('kept', 'yes')
    await client.config('SET', 'appendfsync', 'always')
    await client.set('kept-too', 'yes')
    await client.multi().set('kept-in-multi', 'yes').exec()
    process.kill(redis.pid(), 'SIGKILL')
    expect(await client.mget('kept', 'kept-too', 'kept-in-multi')).toEqual(['yes', 'yes', 'yes'])
    client.disconnect()
  })
})

describe('Postgres as `up` starts it', () => {
  test('it runs, asks for a password, and is not reachable over TCP', async () => {
    await using postgres = await startPostgres()
    const client = await postgres.client()
    expect((await client.query('show listen_addresses')).rows).toEqual([{ listen_addresses: '' }])
    await expect(postgres.client({ user: postgres.user, password: 'wrong' })).rejects.toThrow(
      /authentication/,
    )
    await client.end()
  })
})
