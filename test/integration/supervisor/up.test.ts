import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DEMO_CLUSTER, startCluster } from '../../support/cluster.ts'
import { runCli } from '../../support/cli.ts'
import { temporaryDirectory } from '../../support/directory.ts'
import { seen } from '../../support/processes.ts'
import { isAlive, until } from '../../support/tiny-service.ts'

const question = { message: 'Where is my parcel?' }

describe('a running cluster', () => {
  test('says where everything is, serves, survives kills of its services, and leaves nothing', async () => {
    await using cluster = await startCluster()
    expect(Object.keys(cluster.ready)).toEqual([
      'ready',
      'producer',
      'console',
      'vault',
      'redis',
      'traces',
      'apiKeyFile',
    ])
    expect(Object.keys(cluster.ready.redis)).toEqual(['socket', 'user', 'passwordFile'])
    expect(await cluster.run('request-handler', question)).toMatchObject({ outcome: 'completed' })

    for (const service of ['sidecar', 'vault', 'redis']) {
      const pid = pidIn(cluster.data, service, cluster.pids())
      process.kill(pid, 'SIGKILL')
      await until(`${service} runs again`, () => cluster.said().includes(`${service} runs again`))
    }
    await until('the sidecar has a new login', () => cluster.said().split('sidecar runs again').length > 2)
    // It asks Redis again within a second of a failure.
    await expect.poll(async () => (await cluster.call('/readyz')).status).toBe(200)
    expect(await cluster.run('request-handler', question)).toMatchObject({ outcome: 'completed' })

    const pids = cluster.pids()
    expect(pids.length).toBeGreaterThan(8)
    cluster.child.kill('SIGINT')
    const [code] = (await once(cluster.child, 'exit')) as [number]
    expect(code).toBe(0)
    expect(pids.filter((pid) => isAlive(pid))).toEqual([])
    expect(existsSync(dirname(dirname(cluster.ready.redis.socket!)))).toBe(false)
    expect(existsSync(join(cluster.data, 'up.json'))).toBe(false)
  })

  test('a second one on the same data directory is refused, and a killed one leaves nothing and can be followed', async () => {
    await using cluster = await startCluster()
    await expect(startCluster({ data: cluster.data })).rejects.toThrow(/already runs on .* \(process \d+\)/)
    const pids = cluster.pids()
    cluster.child.kill('SIGKILL')
    await once(cluster.child, 'exit')
    await until('all are gone', () => !pids.some(isAlive))
    await using next = await startCluster({ data: cluster.data })
    expect(await next.run('request-handler', question)).toMatchObject({ outcome: 'completed' })
  })

  test('a second signal ends everything at once', async () => {
    await using cluster = await startCluster()
    const pids = cluster.pids()
    // The stop that the first signal asks for has not ended before the second.
    process.kill(pidIn(cluster.data, 'sidecar', pids), 'SIGSTOP')
    cluster.child.kill('SIGINT')
    await until('it has begun to stop', () => cluster.said().includes('SIGINT: stopping'))
    cluster.child.kill('SIGINT')
    const [code] = (await once(cluster.child, 'exit')) as [number]
    expect(code).toBe(130)
    await until('all are gone', () => !pids.some(isAlive), 10_000)
  })
})

describe('what cannot start says why', () => {
  test('a port in use', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await expect(startCluster({ args: ['--port', String(port)] })).rejects.toThrow(
      `port ${port} for the producer is in use`,
    )
    server.close()
  })

  test('a Redis that cannot start, with the last lines of its log', async () => {
    using directory = temporaryDirectory()
    mkdirSync(join(directory.path, 'redis/appendonlydir'), { recursive: true })
    const manifest = join(directory.path, 'redis/appendonlydir/appendonly.aof.manifest')
    writeFileSync(manifest, 'no manifest\n')
    await expect(startCluster({ data: directory.path })).rejects.toThrow(
      /redis did not start[^]*\| .*manifest/,
    )
  })

  test('a Postgres that cannot start, with the last lines of its log', async () => {
    using directory = temporaryDirectory()
    mkdirSync(join(directory.path, 'postgres'))
    writeFileSync(join(directory.path, 'postgres-initialised'), '')
    await expect(startCluster({ data: directory.path })).rejects.toThrow(
      /postgres did not start[^]*\| .*postgresql\.conf/,
    )
  })

  test('a level that the cluster file does not allow', async () => {
    const started = startCluster({ args: ['--isolation', 'thread'] })
    await expect(started).rejects.toThrow(/--isolation: agent type .*trusted code only/)
  })

  test('a cluster file that is not there', async () => {
    const run = await runCli(['up', '--cluster', '/nonexistent.yaml', '--data', '/tmp/tb-never'])
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('/nonexistent.yaml') as string })
    expect(existsSync('/tmp/tb-never')).toBe(false)
  })
})

test('the demo cluster file is valid', async () => {
  expect((await runCli(['check', DEMO_CLUSTER])).code).toBe(0)
})

/** The process of a service: the one whose stdout is the service's log. */
function pidIn(data: string, service: string, pids: number[]): number {
  const command = { redis: 'redis-server', vault: 'dev/vault/main.ts', sidecar: 'sidecar/main.ts' }[service]!
  // A context may have ended meanwhile.
  const found = pids.find((pid) => seen(pid)?.command.join(' ').includes(command))
  if (!found) throw new Error(`no process of ${service} in ${data}`)
  return found
}
