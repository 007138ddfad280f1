import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '#lib/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AcceptedKeys } from '../../services/dev/models/keys.ts'
import { StandIn } from '../../services/dev/models/server.ts'

const folder = mkdtempSync(join(tmpdir(), 'tb-models-'))
let standIn: StandIn
beforeAll(async () => {
  const file = join(folder, 'keys.json')
  writeFileSync(file, JSON.stringify({ anthropic: ['sk-ant-good-key'], openai: ['sk-good-key'] }))
  standIn = await StandIn.open({ host: '127.0.0.1', port: 0, keys: new AcceptedKeys(file), log: silentLog })
})
afterAll(async () => {
  await standIn[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const post = (path: string, headers: Record<string, string>, body: unknown) =>
  fetch(`${standIn.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
const anthropic = (prompt: string, extra: object = {}, key = 'sk-ant-good-key') =>
  post(
    '/v1/messages',
    { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
    { model: 'claude-x', max_tokens: 99, messages: [{ role: 'user', content: prompt }], ...extra },
  )
const openai = (prompt: string, extra: object = {}, key = 'sk-good-key') =>
  post(
    '/v1/chat/completions',
    { authorization: `Bearer ${key}` },
    { model: 'gpt-x', messages: [{ role: 'user', content: prompt }], ...extra },
  )

describe('the stand-in speaks as the providers do', () => {
  test('an unknown key gets each provider’s own 401', async () => {
    const first = await anthropic('hi', {}, 'wrong')
    expect(first.status).toBe(401)
    expect(await first.json()).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error', message: 'invalid x-api-key' },
    })
    const second = await openai('hi', {}, 'wrong')
    expect(second.status).toBe(401)
    expect(await second.json()).toMatchObject({ error: { code: 'invalid_api_key', param: null } })
  })

  test('an answer carries text and counted tokens', async () => {
    expect(await (await anthropic('Hello there.')).json()).toMatchObject({
      type: 'message',
      content: [{ type: 'text', text: expect.stringContaining('Hello there') }],
      usage: { input_tokens: 3 },
    })
    expect(await (await openai('Hello there.')).json()).toMatchObject({
      choices: [{ message: { content: expect.stringContaining('Hello there') }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3 },
    })
  })

  test('both stream server-sent events to their end', async () => {
    const first = await (await anthropic('Hello there.', { stream: true })).text()
    expect(first.match(/^event: .*$/gm)!.at(0)).toBe('event: message_start')
    expect(first.match(/^event: .*$/gm)!.at(-1)).toBe('event: message_stop')
    expect(await (await openai('Hello there.', { stream: true })).text()).toMatch(/data: \[DONE\]\n\n$/)
  })

  test('a missing version, a broken body and an unknown path are refused', async () => {
    const body = { model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'x' }] }
    expect((await post('/v1/messages', { 'x-api-key': 'sk-ant-good-key' }, body)).status).toBe(400)
    expect((await openai('x', { messages: [] })).status).toBe(400)
    expect((await post('/v1/other', {}, body)).status).toBe(404)
  })

  test('a prompt can ask for 429 and 500', async () => {
    const limited = await anthropic('[[stand-in:429]]')
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1'])
    expect((await openai('[[stand-in:500]]')).status).toBe(500)
  })

  test('models are listed for a good key alone', async () => {
    const headers = { authorization: 'Bearer sk-good-key' }
    expect(await (await fetch(`${standIn.url}/v1/models`, { headers })).json()).toMatchObject({
      object: 'list',
    })
    expect((await fetch(`${standIn.url}/v1/models`)).status).toBe(401)
  })
})
