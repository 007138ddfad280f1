import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Reads a secret from a Vault with our client, then asks it with fetch, in a Node that was started to use a proxy. */
export async function askBehindProxy({ vault, proxy }: { vault: string; proxy: string }): Promise<void> {
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']
  // Node looks at NODE_USE_ENV_PROXY when it starts.
  const env = { ...Object.fromEntries(names.map((name) => [name, proxy])), NODE_USE_ENV_PROXY: '1' }
  const script = `
    import { VaultClient, vaultNames } from '#lib/vault'
    await using client = await VaultClient.open({ address: '${vault}' })
    await client.kvRead('t', vaultNames({ cluster: 'demo', environment: 'dev' }).secret('key'))
    await fetch('${vault}/by-fetch')`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { env })
}
