import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCli } from './cli.ts'
import type { TestCluster } from './cluster.ts'

const SECRET = 'openai-api-key'

/** The key of `test/support/rotation` as its operator, its Vault and its provider see it. */
export function rotatedKey(cluster: TestCluster) {
  const run = (...args: string[]) => runCli([...args, '--data', cluster.data])
  const root = readFileSync(join(cluster.data, 'credentials/vault-root-token'), 'utf8')
  const vault = async (path: string): Promise<any> =>
    (await fetch(`${cluster.ready.vault}/v1/${path}`, { headers: { 'x-vault-token': root } })).json()
  const path = `tb/rotated/test/${SECRET}`
  const provider: string = JSON.parse(readFileSync(join(cluster.data, 'cluster.json'), 'utf8')).cluster
    .secrets[SECRET].egress.baseUrl
  const ask = async (route: string, key: string) =>
    fetch(`${provider}${route}`, { headers: { authorization: `Bearer ${key}` } })
  return {
    run,
    /** State and history as `threadbound rotations` shows them. */
    async view(): Promise<any> {
      return JSON.parse((await run('rotations', '--name', SECRET, '--json')).stdout)[0]
    },
    /** The record in Vault: quicker than the command. */
    async record(): Promise<any> {
      return (await vault(`kv/data/tb/rotated/test--rotation/${SECRET}`)).data?.data
    },
    rotate: (...args: string[]) => run('secrets', 'rotate', '--name', SECRET, ...args),
    /** The values that Vault still has, the oldest first: it keeps ten. */
    async values(): Promise<string[]> {
      const { data } = await vault(`kv/metadata/${path}`)
      const read = Object.keys(data.versions).map((version) => vault(`kv/data/${path}?version=${version}`))
      return (await Promise.all(read)).map((answer) => answer.data.data.value)
    },
    /** Whether the provider takes it for models. */
    isAlive: async (value: string) => (await ask('/v1/models', value)).status === 200,
    /** Keys that the provider has, ours and others'. */
    async atProvider(): Promise<any[]> {
      const { data } = await vault('kv/data/tb/rotated/test/openai-admin-key')
      const answer = await ask('/v1/organization/projects/proj-demo/api_keys?limit=100', data.data.value)
      return ((await answer.json()) as any).data
    },
  }
}
