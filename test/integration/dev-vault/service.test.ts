import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'

const rootToken = 'the-root-token-of-the-service'
const directory = mkdtempSync(join(tmpdir(), 'tb-vault-'))
const rootTokenFile = join(directory, 'root-token')
writeFileSync(rootTokenFile, `${rootToken}\n`)
afterAll(() => rmSync(directory, { recursive: true }))

/** Starts the service as its supervisor does, with descriptor 3 as the pipe. */
function start(env: Record<string, string>, args: string[] = []) {
  const child = spawn(process.execPath, ['services/dev/vault/main.ts', ...args], {
    env: {
      PATH: process.env['PATH'],
      TB_SUPERVISED: '1',
      TB_ROOT_TOKEN_FILE: rootTokenFile,
      TB_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout!.on('data', (chunk) => (output += chunk))
  child.stderr!.on('data', (chunk) => (output += chunk))
  // Not at its exit: what it wrote may come after that.
  return { child, ended: once(child, 'close'), output: () => output }
}

test('it announces its address, warns loudly, takes the root token of the file, and drains on SIGTERM', async () => {
  const { child, ended, output } = start({})
  const [line] = (await once(child.stdio[3]!, 'data')) as [Buffer]
  const { ready, url } = JSON.parse(line.toString())
  expect(ready).toBe(true)
  const headers = { 'x-vault-token': rootToken }
  expect((await fetch(`${url}/v1/auth/token/lookup-self`, { headers })).status).toBe(200)
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(output()).toContain('Never use it in production')
  expect(output()).not.toContain(rootToken)
})

test.each([
  ['the production environment', { TB_ENVIRONMENT: 'production' }, 'TB_ENVIRONMENT says production'],
  ['a host that is not loopback', { TB_HOST: '0.0.0.0' }, 'expected a loopback address'],
  ['a missing root token file', { TB_ROOT_TOKEN_FILE: '/no/such/file' }, 'cannot read the credential file'],
])('%s is refused', async (_what, env, problem) => {
  const { ended, output } = start(env)
  expect(((await ended) as [number])[0]).toBe(1)
  expect(output()).toContain(problem)
})

test('with --data it keeps what it answered through a kill -9, and the key lies in a file of its own', async () => {
  const data = join(directory, 'data')
  const unsealKeyFile = join(directory, 'unseal-key')
  const run = async (env: Record<string, string> = { TB_UNSEAL_KEY_FILE: unsealKeyFile }) => {
    const started = start(env, ['--data', data])
    const [line] = (await once(started.child.stdio[3]!, 'data')) as [Buffer]
    return { ...started, url: JSON.parse(line.toString()).url as string }
  }
  const headers = { 'x-vault-token': rootToken }
  const first = await run()
  await fetch(`${first.url}/v1/sys/policies/acl/kept`, {
    method: 'PUT',
    headers,
    body: JSON.stringify({ policy: 'path "a" { capabilities = ["read"] }' }),
  })
  first.child.kill('SIGKILL')
  await first.ended
  expect(statSync(unsealKeyFile).mode & 0o777).toBe(0o600)

  const second = await run()
  expect((await fetch(`${second.url}/v1/sys/policies/acl/kept`, { headers })).status).toBe(200)
  second.child.kill('SIGTERM')
  expect(await second.ended).toEqual([0, null])

  rmSync(unsealKeyFile)
  const sealed = await run()
  expect((await fetch(`${sealed.url}/v1/sys/policies/acl/kept`, { headers })).status).toBe(503)
  sealed.child.kill('SIGTERM')
  await sealed.ended

  const { ended, output } = start({}, ['--data', data])
  expect(((await ended) as [number])[0]).toBe(1)
  expect(output()).toContain('TB_UNSEAL_KEY_FILE')
})
