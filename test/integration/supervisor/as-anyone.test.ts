import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { levels } from '../../support/contexts.ts'
import { temporaryDirectory } from '../../support/directory.ts'
import { processesBelow } from '../../support/processes.ts'

const COMMAND = fileURLToPath(new URL('../../../services/cli/threadbound.mjs', import.meta.url))
const UID = 61_235
const as = [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--inh-caps=-all']
/** Without a Postgres, which refuses a user whom the host does not know. */
const CLUSTER = `
cluster: anyone
development: { stand-in: [anthropic] }
agents: { helper: { model: claude-sonnet-4.2 } }
secrets:
  anthropic-api-key:
    provider: anthropic
    egress: { base-url: "https://api.anthropic.com", header: "x-api-key: {value}", allow: ["POST /v1/messages"] }
`
/** A checkout below a private home cannot be reached by another uid. */
const reachable = () => spawnSync('setpriv', [...as, process.execPath, '--check', COMMAND]).status === 0

describe.runIf(levels.includes('namespace') && process.getuid!() === 0 && reachable())(
  '`up` without root',
  () => {
    test('runs every service as the one who called it, says so, and serves', async () => {
      using directory = temporaryDirectory()
      chownSync(directory.path, UID, UID)
      chmodSync(directory.path, 0o700)
      const file = join(directory.path, 'threadbound.yaml')
      writeFileSync(file, CLUSTER)
      const args = [
        COMMAND,
        'up',
        '--cluster',
        file,
        '--data',
        join(directory.path, 'data'),
        '--port',
        '0',
        '--json',
      ]
      const env = { PATH: process.env['PATH'] }
      const child = spawn('setpriv', [...as, process.execPath, ...args], { env, detached: true })
      const said = text(child.stderr)
      const [line] = (await Promise.race([
        once(createInterface({ input: child.stdout }), 'line'),
        once(child, 'exit').then(async () => Promise.reject(new Error(await said))),
      ])) as [string]
      const { producer, apiKeyFile, redis } = JSON.parse(line)
      const others = processesBelow(child.pid!).filter(({ uid }) => uid !== UID)
      expect(others).toEqual([])
      expect(statSync(join(redis.socket, '..')).mode & 0o077).toBe(0)

      const headers = {
        authorization: `Bearer ${readFileSync(apiKeyFile, 'utf8')}`,
        'content-type': 'application/json',
      }
      const body = JSON.stringify({ agent: 'helper', input: { message: 'Hello' } })
      const posted = await fetch(`${producer}/v1/requests`, { method: 'POST', headers, body })
      const { id } = (await posted.json()) as { id: string }
      const ended = await fetch(`${producer}/v1/requests/${id}?wait=30s`, { headers })
      expect(await ended.json()).toMatchObject({ outcome: 'completed' })

      child.kill('SIGTERM')
      await once(child, 'exit')
      expect(await said).toContain(
        'every service runs as this user: run as root to give each one a user of its own',
      )
    })
  },
)
