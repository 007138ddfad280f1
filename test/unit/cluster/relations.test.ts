import { describe, expect, test } from 'vitest'
import { levelFault } from '#lib/cluster'
import { FULL, linesOf, parse } from './samples.ts'

const agents = (...lines: string[]) => `agents:\n${lines.map((line) => `  ${line}\n`).join('')}`
const thread = (rest: string) =>
  `${agents(`a: { handler: ./a.ts, isolation: thread, ${rest} }`)}  b: { model: claude-x }\nsecrets: { s: { provider: github } }`
const secretsOf = (...lines: string[]) => `secrets:\n${lines.map((line) => `  ${line}\n`).join('')}`

describe('calls', () => {
  test('a circle is shown whole, at the call that closes it', () => {
    const text = agents(
      'a: { model: claude-x, may-call: [b] }',
      'b: { model: claude-x, may-call: [c, d] }',
      'c: { model: claude-x, may-call: [d, a] }',
      'd: { model: claude-x }',
    )
    expect(linesOf(text)).toEqual(['4:39 agents.c.may-call: calls in a circle: a -> b -> c -> a'])
  })

  test('an agent type that calls itself is a circle', () => {
    expect(linesOf(agents('a: { model: claude-x, may-call: [a] }'))).toEqual([
      '2:36 agents.a.may-call: calls in a circle: a -> a',
    ])
  })

  test('two ways to the same type are no circle', () => {
    const text = agents(
      'a: { model: claude-x, may-call: [b, c] }',
      'b: { model: claude-x, may-call: [d] }',
      'c: { model: claude-x, may-call: [d] }',
      'd: { model: claude-x }',
    )
    expect(linesOf(text)).toEqual([])
  })

  test('many ways through many types are not followed one by one', () => {
    const all = Array.from({ length: 40 }, (_, at) => `a${at}`)
    const types = all.map(
      (name, at) => `${name}: { model: claude-x, may-call: [${all.slice(at + 1).join(', ')}] }`,
    )
    expect(linesOf(agents(...types))).toEqual([])
  })

  test('a chain of thousands of calls is followed without an overflow', () => {
    const chain = Array.from(
      { length: 5000 },
      (_, at) => `a${at}: { model: claude-x, may-call: [a${(at + 1) % 5000}] }`,
    )
    expect(linesOf(agents(...chain))).toHaveLength(1)
  })
})

describe('agents', () => {
  test.each([
    [
      agents('a: { type: singleton, model: claude-x, max-concurrency: 1 }'),
      '2:42 agents.a.max-concurrency: a singleton runs one attempt at a time; take max-concurrency out',
    ],
    [
      agents('a: { timeout: 5s }'),
      '2:3 agents.a: expected a model (for the built-in prompt agent) or a handler',
    ],
    [
      agents('a: { handler: ./a.ts, system: You answer. }'),
      '2:25 agents.a.system: is for the built-in prompt agent; expected no system beside a handler',
    ],
    [
      agents('a: { model: claud-opus }'),
      '2:15 agents.a.model: no provider serves the model "claud-opus"; expected one that models declares, or claude-*, gpt-*; did you mean a name like "claude-*"?',
    ],
    [agents('a: { model: claude-x, secrets: [nope] }'), '2:35 agents.a.secrets: no secret "nope"'],
    [
      'environment: production\ndevelopment: { stand-in: [openai] }',
      '2:26 development.stand-in: a stand-in cannot serve environment production',
    ],
  ])('%j', (text, line) => expect(linesOf(text)).toEqual([line]))

  test('a stand-in outside production is fine', () => {
    expect(linesOf('environment: staging\ndevelopment: { stand-in: [openai] }')).toEqual([])
    expect(linesOf('environment: production\ndevelopment: { stand-in: [] }')).toEqual([])
  })
})

describe('level thread is for trusted code', () => {
  test.each([
    ['secrets: [s]', 'secrets'],
    ['may-call: [b]', 'may-call'],
    ['model: claude-x', 'a model'],
    ['secrets: [s], may-call: [b]', 'secrets and may-call'],
  ])('with %s it needs trusted-code', (rest, what) => {
    expect(linesOf(thread(rest))).toEqual([
      `2:36 agents.a.isolation: level thread with ${what} is for trusted code only; write "trusted-code: true", or a stronger isolation`,
    ])
    expect(linesOf(thread(`${rest}, trusted-code: true`))).toEqual([])
    expect(linesOf(thread(`${rest}, trusted-code: false`))).toHaveLength(1)
  })

  test('code that may use nothing, and the built-in prompt agent, need no trust', () => {
    expect(linesOf(thread('timeout: 5s'))).toEqual([])
    expect(linesOf(agents('a: { model: claude-x, isolation: thread }'))).toEqual([])
  })

  test('a level that comes from the defaults counts', () => {
    const text = `defaults: { isolation: thread }\n${agents('a: { handler: ./a.ts, model: claude-x }')}`
    expect(linesOf(text)).toEqual([expect.stringContaining('3:3 agents.a: level thread with a model')])
    const bound = `thread-bound-agents: { isolation: thread }\n${agents('a: { type: singleton, handler: ./a.ts, model: claude-x }')}`
    expect(linesOf(bound)).toEqual([])
  })

  test('the same rule answers for a level that is asked for later', () => {
    const { agents } = parse(FULL)
    expect(levelFault(agents['coordinator']!, 'thread')).toContain('may-call and a model')
    expect(levelFault(agents['request-handler']!, 'thread')).toBeUndefined()
    expect(levelFault(agents['coordinator']!, 'process')).toBeUndefined()
  })
})

describe('secrets for the rotator and Vault only (I5 least)', () => {
  const secrets = `secrets:
  admin: { provider: openai-admin }
  pg-admin: { provider: postgres-admin }
  plain: { provider: github }
  key: { provider: openai, rotate: { every: daily, project: p, admin-secret: plain } }
`
  test.each([
    ['admin', '"admin" has provider openai-admin, for the rotator and Vault only; no agent may list it'],
    [
      'pg-admin',
      '"pg-admin" has provider postgres-admin, for the rotator and Vault only; no agent may list it',
    ],
    ['plain', '"plain" is the admin-secret of "key", for the rotator and Vault only; no agent may list it'],
  ])('no agent may list %s', (name, message) => {
    expect(linesOf(`${secrets}agents: { a: { model: claude-x, secrets: [key, ${name}] } }`)).toEqual([
      `6:48 agents.a.secrets: ${message}`,
    ])
  })

  test('no model may use one', () => {
    expect(linesOf(`${secrets}models: { x: { provider: openai, secret: plain } }`)).toEqual([
      '6:42 models.x.secret: "plain" is the admin-secret of "key", for the rotator and Vault only; no model may use it',
    ])
  })
})

describe('secrets', () => {
  const connect = 'connect: { host: h, database: d, admin-secret: adm }'

  test.each([
    [
      secretsOf(`s: { provider: postgres, ${connect} }`, 'adm: { provider: postgres-admin }'),
      '2:3 secrets.s: a secret of provider postgres needs grant',
    ],
    [
      secretsOf('s: { provider: postgres, grant: ["SELECT ON t"] }'),
      '2:3 secrets.s: a secret of provider postgres needs connect',
    ],
    [
      secretsOf(`s: { provider: postgres, ${connect}, grant: ["SELECT ON t"] }`),
      '2:75 secrets.s.connect.admin-secret: no secret "adm"',
    ],
    [
      secretsOf(`adm: { provider: postgres, ${connect}, grant: ["SELECT ON t"] }`),
      '2:77 secrets.adm.connect.admin-secret: a secret cannot be its own admin-secret',
    ],
    [
      secretsOf('s: { provider: github, deliver: broker }'),
      '2:35 secrets.s.deliver: expected egress beside deliver: broker, which says where the broker may go',
    ],
    [
      secretsOf('s: { provider: github, ttl: 5m }'),
      '2:26 secrets.s.ttl: is for provider postgres; "s" has provider github',
    ],
    [
      secretsOf(
        's: { provider: openai, rotate: { every: daily, project: p, admin-secret: amd } }',
        'adm: { provider: openai-admin }',
      ),
      '2:76 secrets.s.rotate.admin-secret: no secret "amd"',
    ],
    [
      'models: { m: { provider: openai, secret: opnai-api-key } }',
      '1:42 models.m.secret: no secret "opnai-api-key"; did you mean "openai-api-key"?',
    ],
    [
      'models: { m: { provider: openai, secret: anthropic-api-key } }',
      '1:42 models.m.secret: "anthropic-api-key" has provider anthropic; expected one of provider openai',
    ],
    [
      `models: { m: { provider: openai, secret: s } }\n${secretsOf('s: { provider: github }')}`,
      '1:42 models.m.secret: "s" has no egress, so no model can be reached with it',
    ],
  ])('%j', (text, line) => expect(linesOf(text)).toEqual([line]))

  test('a database secret is neither brokered nor rotated', () => {
    const text = secretsOf(
      `s: { provider: postgres, ${connect}, grant: ["SELECT ON t"], rotate: daily, deliver: value, cache: {} }`,
      'adm: { provider: postgres-admin }',
    )
    expect(linesOf(text)).toEqual([
      expect.stringContaining('secrets.s.rotate: is for static secrets'),
      expect.stringContaining('secrets.s.deliver: is for static secrets'),
      expect.stringContaining('secrets.s.cache: is for static secrets'),
    ])
  })
})
