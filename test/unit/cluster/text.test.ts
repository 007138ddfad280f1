import { describe, expect, test } from 'vitest'
import { linesOf, parse, problemsOf } from './samples.ts'

describe('what YAML allows and a cluster file does not', () => {
  test.each([
    ['', '0:0 : is empty'],
    ['\n# only a comment\n', '0:0 : is empty'],
    ['\uFEFF', '0:0 : is empty'],
    ['just text', '1:1 : expected a mapping of keys such as agents'],
    ['- a\n- b', '1:1 : expected a mapping of keys such as agents'],
    ['cluster: a\n---\ncluster: b', '2:1 : expected one YAML document, got several'],
    ['cluster: a\ndefaults:\n\ttimeout: 5s', '3:1 : expected spaces for indentation, got a tab'],
    ['cluster: a\ncluster: b', '2:1 cluster: is written twice'],
    ['agents:\n  a: { model: claude-x }\n  a: { model: gpt-x }', '3:3 agents.a: is written twice'],
    ['cluster: !!binary YQ==', '1:19 cluster: tags are not used in a cluster file'],
    ['cluster: !env NAME', '1:15 cluster: tags are not used in a cluster file'],
    ['%YAML 1.1\n---\ncluster: a', '1:1 : expected YAML 1.2, got a %YAML directive'],
    ['? [a, b]\n: c', '1:3 : expected a plain key'],
    ['cluster: *nowhere', '1:10 cluster: no anchor of this name'],
  ])('%j', (text, line) => expect(linesOf(text)[0]).toBe(line))

  test.each(['agents: { "canary-4711: [ }\n', '}\n"canary-4711"', '- >canary-4711\n x', '"canary-4711" "b"'])(
    'a syntax error in %j has its line, and no piece of the file in its message',
    (text) => {
      const [problem] = problemsOf(`cluster: a\n${text}`)
      expect(problem!.line).toBeGreaterThan(1)
      expect(problem!.message).not.toContain('canary')
    },
  )

  test('aliases that would grow without end are refused before they do', () => {
    const levels = Array.from(
      { length: 12 },
      (_, at) =>
        `k${at}: &k${at} [${Array(9)
          .fill(at ? `*k${at - 1}` : 'x')
          .join(', ')}]`,
    )
    expect(linesOf(levels.join('\n'))).toEqual(['1:1 : holds more than 50000 values'])
  })

  test('an alias inside its own anchor is refused', () => {
    expect(
      problemsOf('agents: &a { x: *a }').some(({ message }) => message.startsWith('nested deeper')),
    ).toBe(true)
  })

  test('deep nesting is refused in YAML and in JSON5', () => {
    expect(linesOf(`a: ${'['.repeat(100)}${']'.repeat(100)}`)[1]).toContain('nested deeper than 32 levels')
    expect(linesOf('['.repeat(2000))).not.toEqual([])
    expect(linesOf(`{a: ${'['.repeat(9000)}${']'.repeat(9000)}}`, '/c/t.json5')[0]).toContain(
      'nested deeper than 32 levels',
    )
  })

  test('a text over 1 MiB and a name with another ending are refused', () => {
    expect(linesOf(`# ${'x'.repeat(2 ** 20)}`)).toEqual(['0:0 : is larger than 1 MiB'])
    expect(linesOf('cluster: a', '/c/t.toml')).toEqual([
      '0:0 : expected a name that ends in .yaml, .yml, .json5, .json, got t.toml',
    ])
  })
})

describe('JSON5 has places as YAML has', () => {
  const file = '/cluster/t.json5'

  test.each([
    [
      `{\n  // note: "{"\n  agents: { a: { model: 'claude-x',\n    timeout: "1ms" } } }`,
      '4:14 agents.a.timeout: expected a duration',
    ],
    [
      `{ /* } */ 'agents':\n{ a: { model: 'claude-x', "timeuot": '5s' } } }`,
      '2:27 agents.a.timeuot: unknown key; did you mean "timeout"?',
    ],
    [`{"cluster": "a",\n "cluster": "b"}`, '2:2 cluster: is written twice'],
    [
      `{"agents": {"a": {"model": "x\\"}", "secrets": [\n"b",\n 5]}}}`,
      '3:2 agents.a.secrets: expected a name, got 5',
    ],
    ['{"cluster": \n }', "2:2 : JSON5: invalid character '}'"],
    ['{"cluster": "a"', '1:16 : JSON5: invalid end of input'],
    ['["a"]', '1:1 : expected a mapping of keys such as agents'],
  ])('%j', (text, line) => {
    expect(
      linesOf(text, file).some((found) => found.startsWith(line)),
      linesOf(text, file).join('\n'),
    ).toBe(true)
  })

  test('escapes, comments, signs and trailing commas are read as JSON5 reads them', () => {
    const text = `\uFEFF/* a */ {\u00a0$schema_: 0, }`
    expect(linesOf(text, file)).toEqual([expect.stringContaining('$schema_: unknown key')])
    const cluster = parse(
      `{ 'cl\\u0075ster': 'a\\\nb', alerts: { "unexpected-source": false, }, // end\n}`,
      file,
    )
    expect(cluster).toMatchObject({ name: 'ab', alerts: { unexpectedSource: false } })
  })
})
