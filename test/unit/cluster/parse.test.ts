import { describe, expect, test } from 'vitest'
import { clusterKeys, modelRoute, secretKind, usableSecrets } from '#lib/cluster'
import { ARTICLE_AGENTS, ARTICLE_LIMITS, FULL, parse } from './samples.ts'

describe('a cluster file becomes typed values', () => {
  test('every key of the file arrives', () => {
    const cluster = parse(FULL)
    expect(cluster).toMatchObject({
      name: 'demo',
      environment: 'dev',
      file: '/cluster/threadbound.yaml',
      root: '/cluster',
      development: { standIn: ['anthropic', 'openai', 'postgres'] },
      alerts: {
        concurrencyAbovePercent: 80,
        unexpectedSource: false,
        rotationFailed: true,
        webhook: 'http://127.0.0.1:9099/alerts',
      },
    })
    expect(cluster.secrets['openai-api-key']).toEqual({
      name: 'openai-api-key',
      provider: 'openai',
      deliver: 'broker',
      egress: {
        baseUrl: 'https://api.openai.com',
        header: 'authorization: Bearer {value}',
        allow: ['POST /v1/chat/completions'],
      },
      rotate: { every: 'daily', project: 'proj-demo', adminSecret: 'openai-admin-key' },
      cache: { freshMs: 10_000, staleMs: 0 },
      sources: ['127.0.0.0/8', '::1/128'],
    })
    expect(cluster.secrets['orders-db']).toEqual({
      name: 'orders-db',
      provider: 'postgres',
      deliver: 'value',
      connect: { host: '127.0.0.1', port: 5432, database: 'orders', adminSecret: 'orders-db-admin' },
      grant: ['SELECT ON ALL TABLES IN SCHEMA public'],
      ttlMs: 300_000,
    })
    expect(Object.keys(cluster.agents)).toEqual(['coordinator', 'request-handler', 'database-agent'])
    expect(cluster.agents['database-agent']?.handler).toBe('/cluster/agents/database-agent.ts')
    expect(cluster.agents['coordinator']?.mayCall).toEqual(['request-handler', 'database-agent'])
    expect(cluster.agents['request-handler']?.acceptUnsigned).toBe(true)
  })

  test('an agent type goes before thread-bound-agents, those before defaults, and those before the built-in values', () => {
    const { agents } = parse(FULL)
    const limits = (name: string) => {
      const { attempts, timeoutMs, memoryLimitBytes, isolation, maxConcurrency, memoryMaxAgeMs } =
        agents[name]!
      return { attempts, timeoutMs, memoryLimitBytes, isolation, maxConcurrency, memoryMaxAgeMs }
    }
    const shared = {
      timeoutMs: 10_000,
      memoryLimitBytes: 64 * 2 ** 20,
      isolation: 'namespace',
      memoryMaxAgeMs: 1_800_000,
    }
    expect(limits('database-agent')).toEqual({ ...shared, attempts: 5, maxConcurrency: 40 })
    expect(limits('request-handler')).toEqual({ ...shared, attempts: 2, maxConcurrency: 100 })
    expect(limits('coordinator')).toEqual({
      attempts: 2,
      timeoutMs: 20_000,
      memoryLimitBytes: 40e6,
      isolation: 'process',
      maxConcurrency: 1,
      memoryMaxAgeMs: 7_200_000,
    })
  })

  test('an almost empty file has all built-in values', () => {
    const cluster = parse('agents: { a: { model: claude-x } }')
    expect(cluster).toMatchObject({ name: 'default', environment: 'dev', development: { standIn: [] } })
    expect(cluster.alerts).toEqual({
      concurrencyAbovePercent: 90,
      unexpectedSource: true,
      rotationFailed: true,
    })
    expect(cluster.agents['a']).toEqual({
      name: 'a',
      type: 'thread-bound',
      isolation: 'namespace',
      model: 'claude-x',
      maxConcurrency: 50,
      memoryLimitBytes: 50e6,
      timeoutMs: 30_000,
      attempts: 3,
      permissions: [],
      secrets: [],
      mayCall: [],
      acceptUnsigned: false,
      trustedCode: false,
      memoryMaxAgeMs: 3_600_000,
    })
  })

  test('the agents of the article (1.2) parse, with the secrets of their models built in', () => {
    const cluster = parse(ARTICLE_AGENTS)
    expect(cluster.agents['coordinator']).toMatchObject({ type: 'singleton', maxConcurrency: 1 })
    expect(cluster.agents['request-handler']).toMatchObject({ type: 'thread-bound', maxConcurrency: 100 })
    expect(usableSecrets(cluster, 'database-agent')).toEqual(['openai-api-key'])
    expect(cluster.secrets['anthropic-api-key']).toEqual({
      name: 'anthropic-api-key',
      provider: 'anthropic',
      deliver: 'broker',
      egress: {
        baseUrl: 'https://api.anthropic.com',
        header: 'x-api-key: {value}',
        allow: ['POST /v1/messages'],
      },
    })
  })

  test('the limits of the article (5.2) parse as JSON5 and as YAML, to a cluster without agents', () => {
    for (const file of ['/cluster/openclaw.json', '/cluster/openclaw.json5', '/cluster/openclaw.yaml'])
      expect(parse(ARTICLE_LIMITS, file).agents).toEqual({})
  })

  test('YAML and JSON5 of the same content give the same cluster', () => {
    const yaml = parse(
      'agents:\n  a:\n    model: gpt-x\n    timeout: 5s\n    max-concurrency: 7\n',
      '/c/t.yaml',
    )
    const json = parse(
      `{agents: {a: {model: 'gpt-x', "timeout": '5s', 'max-concurrency': +7,},},}`,
      '/c/t.json5',
    )
    expect({ ...json, file: '' }).toEqual({ ...yaml, file: '' })
  })

  test('a byte order mark, anchors, and sections with nothing under them do no harm', () => {
    const cluster = parse(
      '\uFEFFagents:\n  a: &base { model: gpt-x, timeout: 5s }\n  b: *base\nsecrets:\nmodels:\n',
    )
    expect(cluster.agents['b']).toMatchObject({ name: 'b', timeoutMs: 5000 })
  })
})

describe('models and secrets', () => {
  test('an exact model name beats a pattern, and declared routes beat built-in ones', () => {
    const cluster = parse(`
agents: { a: { model: claude-x } }
secrets:
  mine: { provider: anthropic }
  other: { provider: openai, egress: { base-url: "http://localhost:8000/v1/", header: "authorization: Bearer {value}", allow: ["POST /*"] } }
models:
  claude-*: { provider: anthropic, secret: anthropic-api-key }
  claude-opus-*: { provider: anthropic, secret: mine }
  claude-opus-4: { provider: anthropic, secret: mine }
  local*: { provider: openai, secret: other }
`)
    expect(modelRoute(cluster, 'claude-opus-4')?.pattern).toBe('claude-opus-4')
    expect(modelRoute(cluster, 'claude-opus-5')?.pattern).toBe('claude-*')
    expect(modelRoute(cluster, 'local-llama')).toEqual({
      pattern: 'local*',
      provider: 'openai',
      secret: 'other',
    })
    expect(modelRoute(cluster, 'mistral')).toBeUndefined()
    expect(cluster.secrets['other']?.egress?.baseUrl).toBe('http://localhost:8000/v1')
  })

  test('every route leads to a secret of the cluster, and unneeded built-in secrets are absent', () => {
    const cluster = parse('agents: { a: { model: claude-x } }')
    expect(Object.keys(cluster.secrets)).toEqual(['anthropic-api-key'])
    expect(cluster.models.map(({ secret }) => secret)).toEqual(['anthropic-api-key'])
  })

  test('the secrets of an agent type are its own and the one of its model, sorted, each once', () => {
    const cluster = parse(`
agents:
  a: { model: gpt-x, secrets: [zeta, alpha, openai-api-key, zeta] }
  b: { handler: ./b.ts }
secrets: { zeta: { provider: github }, alpha: { provider: github } }
`)
    expect(usableSecrets(cluster, 'a')).toEqual(['alpha', 'openai-api-key', 'zeta'])
    expect(usableSecrets(cluster, 'b')).toEqual([])
    expect(usableSecrets(cluster, 'constructor')).toEqual([])
  })

  test('a declared provider key without egress has the egress of its provider', () => {
    const { secrets } = parse(
      'secrets: { k: { provider: openai }, v: { provider: openai, deliver: value }, g: { provider: github } }',
    )
    expect(secrets['k']).toMatchObject({ deliver: 'broker', egress: { baseUrl: 'https://api.openai.com' } })
    expect(secrets['v']).toMatchObject({ deliver: 'value', egress: { baseUrl: 'https://api.openai.com' } })
    expect(secrets['g']).toEqual({ name: 'g', provider: 'github', deliver: 'value' })
  })

  test('only a secret of provider postgres is a database secret', () => {
    const { secrets } = parse(FULL)
    const kinds = Object.entries(secrets).map(([name, secret]) => [name, secretKind(secret)])
    expect(kinds.filter(([, kind]) => kind === 'database')).toEqual([['orders-db', 'database']])
  })

  test('clusters never share parts of the built-in values', () => {
    const text = `${ARTICLE_AGENTS}secrets: { openai-api-key: { provider: openai } }`
    const [first, second] = [parse(text), parse(text)]
    for (const secret of Object.values(first.secrets)) secret.egress!.baseUrl = 'http://127.0.0.1:1'
    first.models[0]!.secret = 'changed'
    expect(second.secrets['openai-api-key']!.egress!.baseUrl).toBe('https://api.openai.com')
    expect(parse(text)).toEqual(second)
  })
})

test('the table of keys has every key that a full file uses, each with a meaning', () => {
  const keys = clusterKeys()
  expect(keys.every(({ type, meaning }) => type !== '' && meaning !== '')).toBe(true)
  expect(keys.map(({ key }) => key)).toEqual(
    expect.arrayContaining([
      'development.stand-in',
      'thread-bound-agents.memory.max-age',
      'agents.<name>.trusted-code',
      'models.<model>.provider',
      'secrets.<name>.rotate.admin-secret',
      'secrets.<name>.connect.port',
      'alerts.webhook',
    ]),
  )
  expect(keys.find(({ key }) => key === 'agents.<name>.timeout')).toEqual({
    key: 'agents.<name>.timeout',
    type: 'duration',
    default: '30s',
    meaning: 'An attempt is killed after this time',
  })
})
