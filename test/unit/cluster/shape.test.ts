import { describe, expect, test } from 'vitest'
import { ClusterFileError, formatProblems } from '#lib/cluster'
import { PermanentError } from '#lib/runtime'
import { FULL, linesOf, parse, problemsOf } from './samples.ts'

const agent = (line: string) => `agents:\n  a:\n    model: claude-x\n    ${line}\n`
const secret = (line: string) => `secrets:\n  s:\n    provider: github\n    ${line}\n`

describe('wrong values', () => {
  test.each([
    [
      agent('timeout: 99ms'),
      '4:14 agents.a.timeout: expected a duration from 100ms to 7d, such as 30s or 5m, got "99ms"',
    ],
    [
      agent('timeout: 30'),
      '4:14 agents.a.timeout: expected a duration from 100ms to 7d, such as 30s or 5m, got 30',
    ],
    [
      agent('timeout:'),
      '4:13 agents.a.timeout: expected a duration from 100ms to 7d, such as 30s or 5m, got nothing',
    ],
    [
      agent('memory-limit: 7MB'),
      '4:19 agents.a.memory-limit: expected a size from 8MB to 1000GB, such as 50MB or 64MiB, got "7MB"',
    ],
    [
      agent('max-concurrency: 0'),
      '4:22 agents.a.max-concurrency: expected a whole number from 1 to 100000, got 0',
    ],
    [
      agent('max-concurrency: "1.5"'),
      '4:22 agents.a.max-concurrency: expected a whole number from 1 to 100000, got "1.5"',
    ],
    [agent('attempts: many'), '4:15 agents.a.attempts: expected a whole number from 1 to 100, got "many"'],
    [
      agent('isolation: namespaces'),
      '4:16 agents.a.isolation: expected one of namespace, process, thread, got "namespaces"; did you mean "namespace"?',
    ],
    [
      agent('type: singelton'),
      '4:11 agents.a.type: expected one of thread-bound, singleton, got "singelton"; did you mean "singleton"?',
    ],
    [
      agent('permissions: [worker, network]'),
      '4:27 agents.a.permissions: expected one of child-process, worker, got "network"',
    ],
    [agent('accept-unsigned: "yes"'), '4:22 agents.a.accept-unsigned: expected true or false, got "yes"'],
    [agent('secrets: one'), '4:14 agents.a.secrets: expected a list, got "one"'],
    [agent('memory: 1h'), '4:13 agents.a.memory: expected a mapping, got "1h"'],
    ['agents: [a, b]', '1:9 agents: expected a mapping, got a list'],
    ['agents:\n  a:\n', '2:5 agents.a: expected a mapping, got nothing'],
    [
      'alerts: { concurrency-above: 101% }',
      '1:30 alerts.concurrency-above: expected a percentage above 0% and up to 100%, such as 90%, got "101%"',
    ],
    [
      'cluster: Demo',
      '1:10 cluster: expected a name of lower-case letters, digits and single dashes, at most 41 characters, beginning with a letter; got "Demo"',
    ],
    [
      secret('rotate: hourly'),
      '4:13 secrets.s.rotate.every: expected daily, weekly, monthly, or five cron fields such as "0 4 * * 1", got "hourly"',
    ],
    [
      secret('sources: [127.0.0.1]'),
      '4:15 secrets.s.sources: expected an address range such as 10.0.0.0/8 (one address: 10.0.0.1/32), got "127.0.0.1"',
    ],
    [
      'secrets: { s: { provider: posgres } }',
      '1:27 secrets.s.provider: no provider "posgres"; did you mean "postgres"?',
    ],
    [
      'secrets: { s: {} }',
      '1:12 secrets.s.provider: is missing; expected a provider, such as anthropic, anthropic-admin, openai, openai-admin, postgres, postgres-admin, postgres-roles, random, vault-approle',
    ],
  ])('%j is told with its place and what was expected', (text, line) => {
    expect(linesOf(text)).toEqual([line])
  })

  test.each(['0 4 * * 1', '*/5 0-6,22 1,15 jan-mar mon', 'daily', 'monthly'])('%j is a schedule', (every) => {
    expect(linesOf(secret(`rotate: "${every}"`))).toEqual([])
  })

  test.each([
    '60 * * * *',
    '* * * *',
    '* * 0 * *',
    '5-1 * * * *',
    '*/0 * * * *',
    '1- * * * *',
    '* * * foo *',
    '@daily',
  ])('%j is no schedule', (every) => expect(linesOf(secret(`rotate: "${every}"`))).toHaveLength(1))

  test.each(['256.0.0.0/8', '10.0.0.0/33', '::1/129', '10.0.0.0/', '10.0.0.0/8/8', 'host/8'])(
    '%j is no range',
    (range) => {
      expect(linesOf(secret(`sources: ["${range}"]`))).toHaveLength(1)
    },
  )
})

describe('unknown keys', () => {
  test.each([
    [agent('max-concurency: 5'), '4:5 agents.a.max-concurency: unknown key; did you mean "max-concurrency"?'],
    [agent('maxConcurrency: 5'), '4:5 agents.a.maxConcurrency: unknown key; did you mean "max-concurrency"?'],
    ['agnets: {}', '1:1 agnets: unknown key; did you mean "agents"?'],
    [
      'constructor: {}',
      '1:1 constructor: unknown key; expected one of cluster, environment, development, defaults, thread-bound-agents, agents, models, secrets, alerts',
    ],
    ['__proto__: { a: 1 }', '1:1 __proto__: may not be used as a key'],
    [
      '<<: { cluster: x }',
      '1:1 <<: unknown key; expected one of cluster, environment, development, defaults, thread-bound-agents, agents, models, secrets, alerts',
    ],
  ])('%j', (text, line) => expect(linesOf(text)).toEqual([line]))

  test('a key that JSON5 gives as __proto__ is refused too', () => {
    expect(linesOf('{\n "agents": { "__proto__": {model: "claude-x"} } }', '/c/t.json5')).toEqual([
      '2:14 agents.__proto__: may not be used as a key',
    ])
  })
})

describe('names', () => {
  test.each(['constructor', 'prototype', 'a--b', 'A', '1a', '-a', 'a_b', 'a'.repeat(42), 'ünder'])(
    '%j is no name',
    (name) => {
      expect(problemsOf(`agents: { "${name}": { model: claude-x } }`)).toMatchObject([
        { line: 1, column: 11 },
      ])
      expect(problemsOf(`secrets: { "${name}": { provider: github } }`)).toHaveLength(1)
    },
  )

  test.each(['a', 'a-b', 'a1', 'a'.repeat(41)])('%j is a name', (name) => {
    expect(problemsOf(`agents: { ${name}: { model: claude-x } }`)).toEqual([])
  })

  test.each(['*', 'gpt-4*', 'org/model:7b'])('%j may stand under models', (pattern) => {
    expect(problemsOf(`models: { "${pattern}": { provider: openai, secret: openai-api-key } }`)).toEqual([])
  })

  test.each(['a*b', '', 'a b', '**'])('%j may not stand under models', (pattern) => {
    expect(problemsOf(`models: { "${pattern}": { provider: openai, secret: openai-api-key } }`)).toHaveLength(
      1,
    )
  })
})

describe('one pass tells everything', () => {
  const mistakes = `cluster: Demo
agents:
  coordinator:
    type: singleton
    max-concurrency: 5
    model: claude-x
    may-call: [databse-agent]
    timeout: 50ms
  database-agent:
    model: mistral-7b
    handlr: ./x.ts
    secrets: [orders-bd]
secrets:
  orders-db: { provider: github, ttl: 5 }
`
  test('mistakes of shape and of relations come together, in the order of the file', () => {
    expect(linesOf(mistakes)).toEqual([
      expect.stringContaining('1:10 cluster: expected a name'),
      '5:5 agents.coordinator.max-concurrency: a singleton runs one attempt at a time; take max-concurrency out',
      '7:16 agents.coordinator.may-call: no agent type "databse-agent"; did you mean "database-agent"?',
      expect.stringContaining('8:14 agents.coordinator.timeout: expected a duration'),
      expect.stringContaining('10:12 agents.database-agent.model: no provider serves the model "mistral-7b"'),
      '11:5 agents.database-agent.handlr: unknown key; did you mean "handler"?',
      '12:15 agents.database-agent.secrets: no secret "orders-bd"; did you mean "orders-db"?',
      '14:34 secrets.orders-db.ttl: is for provider postgres; "orders-db" has provider github',
      expect.stringContaining('14:39 secrets.orders-db.ttl: expected a duration'),
    ])
  })

  test('the message has one line for each problem, with file, line and column', () => {
    const error = catchError(() => parse(mistakes, '/cluster/my.yaml'))
    expect(error).toBeInstanceOf(ClusterFileError)
    expect(error).toBeInstanceOf(PermanentError)
    const lines = (error as ClusterFileError).message.split('\n')
    expect(lines).toHaveLength(9)
    expect(lines[2]).toBe(
      '/cluster/my.yaml:7:16 agents.coordinator.may-call: no agent type "databse-agent"; did you mean "database-agent"?',
    )
  })

  test('a broken part does not hide nor invent mistakes elsewhere', () => {
    const text = FULL.replace('provider: postgres\n', 'provider: [postgres]\n').replace(
      'model: gpt-4-turbo',
      'model: 4',
    )
    expect(problemsOf(text).map(({ path }) => path)).toEqual([
      'agents.database-agent.model',
      'secrets.orders-db.provider',
    ])
  })

  test('a model whose route is broken is not also called unserved', () => {
    const text =
      'agents: { a: { model: mistral-7b } }\nmodels: { mistral-*: { provider: mistral, secret: openai-api-key } }'
    expect(problemsOf(text).map(({ path }) => path)).toEqual(['models.mistral-*.provider'])
  })

  test('thousands of problems make a message of a hundred lines', () => {
    const text = `agents:\n${Array.from({ length: 3000 }, (_, at) => `  a${at}: 5`).join('\n')}`
    const error = catchError(() => parse(text)) as ClusterFileError
    expect(error.problems).toHaveLength(3000)
    expect(error.message.split('\n').slice(-1)).toEqual(['and 2900 more problems'])
  })

  test('names cannot forge lines or colours of a terminal', () => {
    const text = '"x\\u001b[31m\\nthreadbound.yaml:1:1 fine\\u202e": 1'
    expect(problemsOf(text)).toHaveLength(1)
    expect(formatProblems('t.yaml', problemsOf(text))).not.toMatch(/[\n\p{Cc}\p{Cf}]/u)
  })
})

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
