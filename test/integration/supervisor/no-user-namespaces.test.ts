import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../../support/directory.ts'
import { withoutUserNamespaces } from '../../support/no-user-namespaces.ts'

const CLUSTER = `
cluster: small
environment: dev
development: { stand-in: [anthropic] }
defaults: { timeout: 10s }
agents: { helper: { model: claude-sonnet-4.2 } }
secrets:
  anthropic-api-key:
    provider: anthropic
    egress: { base-url: "https://api.anthropic.com", header: "x-api-key: {value}", allow: ["POST /v1/messages"] }
`

/** `up` on a small cluster file, with a line more under `defaults:`. */
async function up(folder: string, line = ''): Promise<ChildProcess> {
  const file = join(folder, 'threadbound.yaml')
  const defaults = line ? `defaults:\n  ${line}\n  timeout: 10s` : 'defaults: { timeout: 10s }'
  writeFileSync(file, CLUSTER.replace('defaults: { timeout: 10s }', defaults))
  const data = join(folder, 'data')
  return withoutUserNamespaces(['up', '--cluster', file, '--data', data, '--port', '0', '--json'])
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

describe.skipIf(process.getuid!() !== 0)('on a host without user namespaces', () => {
  test('up refuses, and the line that it prints is one that starts it', async () => {
    using directory = temporaryDirectory()
    const refused = await up(directory.path)
    const [said, [code]] = await Promise.all([text(refused.stderr!), once(refused, 'exit')])
    expect(code).toBe(1)
    expect(said).toContain('sysctl -w user.max_user_namespaces=')
    const line = /write "(.+?)" under "defaults:" in the cluster file/.exec(said)?.[1]
    expect(line).toBe('isolation: process')

    const started = await up(directory.path, line)
    const [ready] = (await once(createInterface({ input: started.stdout! }), 'line')) as [string]
    expect(JSON.parse(ready)).toMatchObject({ ready: true })
    await stop(started)
  })

  test('the demo takes level process and says so in its first line', async () => {
    using directory = temporaryDirectory()
    const demo = await withoutUserNamespaces(['demo'], { TMPDIR: directory.path })
    const [first] = (await once(createInterface({ input: demo.stdout! }), 'line')) as [string]
    expect(first).toBe(
      'Every context of this demo runs at level process, the strongest that this host gives.',
    )
    await stop(demo)
  })
})
