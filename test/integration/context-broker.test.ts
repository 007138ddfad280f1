import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { WireSpan } from '#lib/wire'
import { agentOf, levels, openWorld } from '../support/contexts.ts'
import { openStandInBroker } from '../support/stand-in-broker.ts'

const ANSWERS = {
  'POST /v1/model/generate': (_: unknown, body: string, response: any) => {
    const { prompt } = JSON.parse(body) as { prompt: string }
    const usage = { inputTokens: 1, outputTokens: 2 }
    setTimeout(
      () =>
        response.end(JSON.stringify({ text: prompt.toUpperCase(), model: 'm', finishReason: 'stop', usage })),
      20,
    )
  },
  'POST /v1/model/stream': (_: unknown, __: string, response: any) => {
    response.write('{"delta":"a"}\n{"del')
    setTimeout(
      () => response.end('ta":"b"}\n{"end":{"text":"ab","model":"m","finishReason":"stop","usage":{}}}\n'),
      10,
    )
  },
  'GET /v1/secrets/key': (_: unknown, __: string, response: any) =>
    response.end(JSON.stringify({ name: 'key', value: 'v', generation: 1 })),
  'POST /v1/leases': (_: unknown, __: string, response: any) => {
    const credentials = { user: 'u', password: 'p', database: 'd' }
    response.end(JSON.stringify({ name: 'orders-db', credentials, ttlMs: 1000 }))
  },
  'POST /v1/fetch': (request: any, body: string, response: any) => {
    response.writeHead(201, { 'x-seen': request.headers['x-tb-url'], 'content-type': 'application/json' })
    response.end(JSON.stringify({ body, type: request.headers['content-type'] }))
  },
}

const AGENT = agentOf(
  `
  const text = (stream: any) => new Promise((yes, no) => stream.once('data', (d: Buffer) => yes(String(d))).once('error', no))
  switch (input.do) {
    case 'generate': return String(await ctx.model.generate({ prompt: 'hi' }))
    case 'many': return (await Promise.all(Array.from({ length: 12 }, (_, i) => ctx.model.generate({ prompt: 'p' + i })))).map(String)
    case 'stream': { const all = []; for await (const d of ctx.model.stream({ prompt: 'x' })) all.push(d); return all }
    case 'secret': return ctx.secrets.get('key')
    case 'denied': return ctx.secrets.get('other').catch((e: any) => [e.name, e.type, e instanceof BrokerError])
    case 'fetch': {
      const r = await ctx.fetch('https://api.example.com/x', { method: 'POST', body: JSON.stringify({ a: 1 }), headers: new Map([['content-type', 'application/json']]) as any })
      return [r.status, r.ok, r.headers.get('X-Seen'), [...r.headers].length > 2, await r.json()]
    }
    case 'body': {
      const r = await ctx.fetch('https://api.example.com/x', { method: 'POST', body: new Uint8Array([65, 66]) })
      let all = ''
      for await (const chunk of r.body!.pipeThrough(new TextDecoderStream() as any) as any) all += chunk
      return all
    }
    case 'relay': {
      const lease = await ctx.secrets.lease('orders-db')
      const stream: any = lease.connect()
      const connected = new Promise((done) => stream.once('connect', done))
      stream.setNoDelay(true)
      stream.connect(5432, 'localhost')
      await connected
      stream.write('select')
      return [lease.credentials.user, await text(stream)]
    }
    case 'four': {
      const lease = await ctx.secrets.lease('orders-db')
      const open = Array.from({ length: 4 }, () => { const s = lease.connect(); s.write('x'); return s })
      const ends = await Promise.allSettled(open.map(text))
      return [ends.map((e: any) => e.value ?? e.reason.type), String(await ctx.model.generate({ prompt: 'still' }))]
    }
    case 'spans': {
      await ctx.span('outer', async () => { await ctx.span('inner', () => ctx.secrets.get('key')); await ctx.model.generate({ prompt: 'x' }) })
      return ctx.secrets.get('key')
    }
    case 'call': return [await ctx.call('other', { q: 1 }), await ctx.call('bad', {}).catch((e: any) => [e.name, e.type, e.message])]
    case 'say': { ctx.log.info({ rows: 3 }, 'answered'); ctx.progress(0.5); ctx.emit({ token: 'a' }); ctx.memory = { n: (ctx.memory as any).n + 1 }; return [ctx.request.id, ctx.request.metadata] }
  }
`,
  `import { BrokerError } from 'threadbound/agent'`,
)

const call = async (agentType: string, input: unknown) => {
  if (agentType === 'bad') throw Object.assign(new Error('not allowed'), { type: 'denied' })
  return { agentType, input }
}

describe.each(levels)('what an agent is given, at level %s', (level) => {
  test('model, secrets, fetch and database go over four connections that were open before', async () => {
    await using broker = await openStandInBroker(ANSWERS)
    await using world = await openWorld({ level, source: AGENT, brokerSocket: broker.socket, spares: 2 })
    const result = async (what: string) => {
      const { result, error } = await world.run({ do: what })
      return error ?? result
    }
    expect(await result('generate')).toBe('HI')
    expect(await result('many')).toEqual(Array.from({ length: 12 }, (_, i) => `P${i}`))
    expect(await result('stream')).toEqual(['a', 'b'])
    expect(await result('secret')).toBe('v')
    expect(await result('denied')).toEqual(['BrokerError', 'denied', true])
    const body = { body: '{"a":1}', type: 'application/json' }
    expect(await result('fetch')).toEqual([201, true, 'https://api.example.com/x', true, body])
    expect(JSON.parse(String(await result('body')))).toMatchObject({ body: 'AB' })
    expect(await result('relay')).toEqual(['u', 'SELECT'])
    expect(await result('four')).toEqual([['X', 'X', 'X', 'too-many-connections'], 'STILL'])
    expect(broker.preambles.every((one) => one.role === 'context')).toBe(true)
    const perContext = Map.groupBy(broker.preambles, (one) => one.context)
    expect([...perContext.values()].every((all) => all.length <= 4)).toBe(true)
  })

  test('every broker request names the span that it was made in, and finished spans come out', async () => {
    await using broker = await openStandInBroker(ANSWERS)
    await using world = await openWorld({ level, source: AGENT, brokerSocket: broker.socket })
    const spans: WireSpan[] = []
    await world.run({ do: 'spans' }, { span: (span) => spans.push(span) })
    const id = (name: string) => spans.find((span) => span.name === name)!.spanId
    const parent = (name: string) => spans.find((span) => span.name === name)!.parentSpanId
    expect(spans.map((span) => span.name)).toEqual(['inner', 'outer', 'invoke_agent probe'])
    expect([parent('inner'), parent('outer'), parent('invoke_agent probe')]).toEqual([
      id('outer'),
      id('invoke_agent probe'),
      'b'.repeat(16),
    ])
    const asked = broker.seen.map((one) => one.traceparent)
    const header = (name: string) => `00-${'a'.repeat(32)}-${id(name)}-01`
    expect(asked).toEqual([header('inner'), header('outer'), header('invoke_agent probe')])
  })

  test('calls are answered by the worker, and logs, progress, events and memory come out', async () => {
    await using world = await openWorld({ level, source: AGENT, memory: { n: 1 } })
    const called = await world.run({ do: 'call' }, { call })
    expect(called.result).toEqual([
      { agentType: 'other', input: { q: 1 } },
      ['AgentCallError', 'denied', 'not allowed'],
    ])
    const said: unknown[] = []
    const end = await world.run(
      { do: 'say' },
      {
        log: ({ level, message, fields }) => said.push([level, message, fields]),
        progress: (value) => said.push(value),
        emit: (value) => said.push(value),
      },
    )
    expect(said).toEqual([['info', 'answered', { rows: 3 }], 0.5, { token: 'a' }])
    expect([end.result, end.memory]).toEqual([['probe.1', { a: 'b' }], { n: 2 }])
  })

  test('without a broker a request to it fails with a clear error', async () => {
    await using world = await openWorld({ level, source: AGENT })
    const { outcome, error } = await world.run({ do: 'generate' })
    expect([outcome, error?.type]).toEqual(['failed', 'broker-gone'])
  })
})

describe.each(levels)('a spare gets ready for the broker while it is idle, at level %s', (level) => {
  const AGENT = agentOf(`return (process as any).moduleLoadList.includes('NativeModule _http_client')`)

  test('one that an attempt is waiting for does not', async () => {
    await using broker = await openStandInBroker({})
    await using world = await openWorld({ level, source: AGENT, spares: 0, brokerSocket: broker.socket })
    // Where the machine is so busy that the attempt comes late, it finds one that has been idle.
    const isReady = async () => (await world.run({})).result
    await expect.poll(isReady, { timeout: 60_000 }).toBe(false)
  })

  test('one that nobody waits for does', async () => {
    await using broker = await openStandInBroker({})
    await using world = await openWorld({ level, source: AGENT, spares: 1, brokerSocket: broker.socket })
    let idleMs = 0
    // Each look takes the spare: the next one is left alone for longer.
    const isReady = async () => {
      await delay((idleMs += 500))
      return (await world.run({})).result
    }
    await expect.poll(isReady, { timeout: 60_000 }).toBe(true)
  })
})
