import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { runCli } from '../../support/cli.ts'
import { temporaryDirectory } from '../../support/directory.ts'

const EVIL = '\u001b]52;c;ZXZpbA==\u0007\u202e'
const UNSAFE = /\p{Cf}|(?!\n)\p{Cc}/u
const ended = {
  id: 'echo.1',
  agent: 'echo',
  state: 'ended',
  outcome: 'completed',
  result: { said: EVIL },
  attempts: 1,
  traceId: '0af7651916cd43dd8448eb211c80319c',
  queuedMs: 2,
  runMs: 30,
}

/** A producer that answers from a table, in a data directory as `up` writes it. */
async function setup(answers: Record<string, [status: number, body: unknown]>) {
  const directory = temporaryDirectory()
  const seen: { line: string; authorization: string | undefined; body: string }[] = []
  const server = createServer((request: IncomingMessage, response) => {
    void text(request).then((body) => {
      const line = `${request.method} ${request.url}`
      seen.push({ line, authorization: request.headers.authorization, body })
      const [status, answer] = answers[line] ?? [404, { detail: `nothing at ${line}` }]
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const data = join(directory.path, '.threadbound')
  mkdirSync(data)
  const apiKeyFile = join(data, 'key')
  writeFileSync(apiKeyFile, 'tbk_test\n')
  writeFileSync(join(data, 'up.json'), JSON.stringify({ producer: url, apiKeyFile, traces: url }))
  return {
    url,
    seen,
    apiKeyFile,
    cwd: directory.path,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      directory[Symbol.dispose]()
    },
  }
}

describe('talking to a cluster', () => {
  test('enqueue --wait posts the input with the key of up.json and prints the result, controls escaped', async () => {
    await using world = await setup({
      'POST /v1/requests': [202, { id: 'echo.1', traceId: ended.traceId, url: '/v1/requests/echo.1' }],
      'GET /v1/requests/echo.1?wait=30000ms': [200, ended],
    })
    const run = await runCli(['enqueue', 'echo', '--input', '{"a":1}', '--wait'], world)
    expect(run.code).toBe(0)
    expect(run.stdout).toContain('completed')
    expect(run.stdout).not.toContain('\u001b')
    expect(run.stdout).not.toContain('\u202e')
    expect(world.seen[0]).toEqual({
      line: 'POST /v1/requests',
      authorization: 'Bearer tbk_test',
      body: expect.stringMatching(/^{"agent":"echo","input":{"a":1},"idempotencyKey":"[^"]+"}$/),
    })
  })

  test('--json prints what the producer said, parseable and without a raw control character', async () => {
    await using world = await setup({ 'GET /v1/requests/echo.1': [200, ended] })
    const run = await runCli(['request', 'echo.1', '--json'], world)
    expect(JSON.parse(run.stdout)).toEqual(ended)
    expect(run.stdout).not.toMatch(UNSAFE)
  })

  test('input comes from a file or from stdin, and input that is no JSON is refused before anything is sent', async () => {
    await using world = await setup({
      'POST /v1/requests': [202, { id: 'echo.1', url: '/v1/requests/echo.1' }],
    })
    writeFileSync(join(world.cwd, 'in.json'), '[1]')
    expect((await runCli(['enqueue', 'echo', '--input', '@in.json'], world)).stdout).toBe('echo.1\n')
    expect((await runCli(['enqueue', 'echo', '--input', '-'], { ...world, stdin: '[2]' })).code).toBe(0)
    expect(world.seen.map(({ body }) => JSON.parse(body).input)).toEqual([[1], [2]])
    const refused = await runCli(['enqueue', 'echo', '--input', '{oops'], world)
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--input: expected JSON') as string,
    })
    expect(world.seen).toHaveLength(2)
  })

  test('a refusal is told in the words of the producer, with the field, and exits 1', async () => {
    const problem = { status: 400, detail: 'expected a string', field: 'input.message' }
    await using world = await setup({ 'POST /v1/requests': [400, problem] })
    const run = await runCli(['enqueue', 'echo', '--input', '{}'], world)
    expect(run).toMatchObject({ code: 1, stderr: 'threadbound: expected a string (field input.message)\n' })
  })

  test('a request that failed makes enqueue --wait exit 1', async () => {
    const failed = { ...ended, outcome: 'failed', error: { type: 'boom', message: 'no' } }
    await using world = await setup({
      'POST /v1/requests': [202, { id: 'echo.1', url: '/v1/requests/echo.1' }],
      'GET /v1/requests/echo.1?wait=30000ms': [200, failed],
    })
    const run = await runCli(['enqueue', 'echo', '--input', '{}', '--wait'], world)
    expect(run.code).toBe(1)
    expect(run.stdout).toContain('boom: no')
  })

  test('cancel asks for it, waits for the end and exits 0; 1 when it had ended in another way', async () => {
    const cancelled = { ...ended, outcome: 'cancelled', error: { type: 'cancelled', message: 'it was' } }
    await using world = await setup({
      'DELETE /v1/requests/echo.1': [202, { ...ended, state: 'running', outcome: undefined, cancelledAt: 7 }],
      'GET /v1/requests/echo.1?wait=10000ms': [200, cancelled],
      'DELETE /v1/requests/echo.2': [200, ended],
    })
    const run = await runCli(['cancel', 'echo.1', '--json'], world)
    expect(run).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(run.stdout)).toEqual(cancelled)
    const late = await runCli(['cancel', 'echo.2'], world)
    expect(late.code).toBe(1)
    expect(late.stdout).toMatch(/outcome +completed/)
    const unknown = await runCli(['cancel', 'echo.3'], world)
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing at DELETE') as string })
  })

  test('agents is a table, and --url with --api-key-file needs no data directory', async () => {
    const agent = {
      name: 'echo',
      type: 'thread-bound',
      slots: 4,
      active: 1,
      waiting: 2,
      spares: 3,
      level: 'namespace',
    }
    await using world = await setup({ 'GET /v1/agents': [200, [agent]] })
    const run = await runCli(['agents', '--url', world.url, '--api-key-file', world.apiKeyFile], { cwd: '/' })
    expect(run.stdout.split('\n')[1]).toMatch(/^echo +thread-bound +4 +1 +2 +3 +namespace +-$/)
  })

  test('trace takes a request id and shows the tree of its trace', async () => {
    const span = {
      traceId: ended.traceId,
      spanId: 'b7ad6b7169203331',
      name: `evil ${EVIL}`,
      kind: 1,
      startMs: 1000,
      endMs: 1030,
      service: 'worker',
      attributes: {},
      events: [],
      links: [],
    }
    await using world = await setup({
      'GET /v1/requests/echo.1': [200, ended],
      [`GET /api/traces/${ended.traceId}`]: [200, { spans: [span], tree: {} }],
    })
    const run = await runCli(['trace', 'echo.1'], world)
    expect(run.stderr).toBe('')
    expect(run.stdout).toContain('30.0 ms')
    expect(run.stdout).not.toMatch(UNSAFE)
  })
})

describe('a wrong command line', () => {
  test.each([
    [['nonsense'], "unknown command 'nonsense'"],
    [['up', '--isolation', 'foo'], 'Allowed choices are thread, process, namespace'],
    [['up', '--port', 'eighty'], '--port'],
    [['enqueue', 'echo'], "required option '--input <json>'"],
    [['enqueue', 'echo', '--input', '1', '--timeout', 'soon'], '--timeout: expected a duration'],
    [['agents', '--url', 'http://127.0.0.1:1'], '--url needs --api-key-file'],
    [['agents', '--url', 'nowhere', '--api-key-file', 'k'], '--url: expected an http or https URL'],
    [['tarce', 'x'], 'Did you mean trace?'],
  ])('%j exits 2 and says why', async (args, why) => {
    const run = await runCli(args, { cwd: '/' })
    expect(run.stderr).toContain(why)
    expect(run.code).toBe(2)
  })

  test('a trace that has not arrived is said in words, and a store that is not ours is named', async () => {
    await using world = await setup({})
    const run = await runCli(['trace', ended.traceId], world)
    expect(run.code).toBe(1)
    expect(run.stderr).toContain(`the spans of this cluster go to ${world.url}`)
  })

  test('no running cluster is said with what to do, and exits 1', async () => {
    using directory = temporaryDirectory()
    const run = await runCli(['agents'], { cwd: directory.path })
    expect(run.code).toBe(1)
    expect(run.stderr).toContain('threadbound up')
  })
})

describe('check', () => {
  test('prints every problem of a file with its line, and exits 1', async () => {
    using directory = temporaryDirectory()
    const file = join(directory.path, 'threadbound.yaml')
    writeFileSync(file, 'cluster: demo\nagents:\n  a:\n    type: thread-bond\n    max-concurency: 3\n')
    const run = await runCli(['check', file])
    expect(run.code).toBe(1)
    expect(run.stderr).toMatch(/threadbound\.yaml:4:/)
    expect(run.stderr).toMatch(/threadbound\.yaml:5:/)
    expect(run.stderr).toMatch(/threadbound\.yaml: \d mistakes$/m)
    const json = JSON.parse((await runCli(['check', file, '--json'])).stdout) as { problems: unknown[] }
    expect(json.problems.length).toBeGreaterThanOrEqual(2)
  })
})

const OLD_NODE = '/usr/bin/node'
test.runIf(existsSync(OLD_NODE))('an older Node on the PATH runs the command just as well', async () => {
  const run = await runCli(['nonsense'], { node: OLD_NODE })
  expect(run).toMatchObject({ code: 2, stderr: expect.stringContaining('unknown command') as string })
})
