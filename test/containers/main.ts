import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'

/**
 * The contract suite of the Vault against real servers in containers, by `npm run test:containers`. Exit codes: 0 every
 * image passed; 1 a test failed; 2 nothing was tested, since no engine or no image is at hand.
 */
const IMAGES = (process.env['TB_VAULT_IMAGES'] ?? 'openbao/openbao:2.6.2,hashicorp/vault:1.20').split(',')

/** The database tests start a Postgres on this machine, which the server reaches through the host's own network. */
async function startServer(image: string) {
  const rootToken = randomBytes(16).toString('hex')
  let output = ''
  const container = await new GenericContainer(image)
    .withNetworkMode('host')
    .withAddedCapabilities('IPC_LOCK')
    .withCommand([
      'server',
      '-dev',
      `-dev-root-token-id=${rootToken}`,
      '-dev-listen-address=127.0.0.1:8321',
      '-dev-no-store-token',
    ])
    .withLogConsumer((stream) => stream.on('data', (chunk: Buffer) => (output += chunk.toString())))
    .withWaitStrategy(Wait.forLogMessage(/Unseal Key: /))
    .start()
  return {
    environment: {
      TB_VAULT_ADDR: 'http://127.0.0.1:8321',
      TB_VAULT_TOKEN: rootToken,
      TB_VAULT_UNSEAL_KEYS: /Unseal Key: (\S+)/.exec(output)?.[1] ?? '',
    },
    [Symbol.asyncDispose]: async () => void (await container.stop()),
  }
}

/** @returns false when a test failed */
async function passes(image: string): Promise<boolean> {
  await using server = await startServer(image)
  const { status } = spawnSync('vitest', ['run', '--project', 'contract'], {
    stdio: 'inherit',
    env: { ...process.env, ...server.environment },
  })
  return status === 0
}

/** Says why nothing can be tested, and how that ends. */
function endUntested(why: string, cause: unknown): never {
  console.error(`nothing was tested: ${why}: ${cause instanceof Error ? cause.message : String(cause)}`)
  process.exit(2)
}

await getContainerRuntimeClient().catch((error: unknown) => endUntested('no container engine', error))
for (const image of IMAGES) {
  console.log(`contract suite against ${image}`)
  const passed = await passes(image).catch((error: unknown) => endUntested(`no container of ${image}`, error))
  if (!passed) process.exit(1)
}
