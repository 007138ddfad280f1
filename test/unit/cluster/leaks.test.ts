import { describe, expect, test } from 'vitest'
import { ClusterFileError } from '#lib/cluster'
import { ARTICLE_KEYS, parse, problemsOf } from './samples.ts'

/** Built from parts, so that this file holds nothing that looks like a key. */
const KEYS = [
  ['sk', '-proj-Abc123Def456Ghi789Jkl012'],
  ['sk', '-ant-api03-Abc123Def456Ghi789'],
  ['sk', '-xxx'],
  ['sk', '_live_Abc123Def456'],
  ['gh', 'p_Abc123Def456Ghi789Jkl012'],
  ['AKI', 'AABCDEFGHIJKLMNOP'],
  ['hv', 's.CAESIAbc123Def456'],
  ['xox', 'b-1234-abcdef'],
  ['-----BEGIN RSA PRIV', 'ATE KEY-----'],
].map((parts) => parts.join(''))

describe('a file that holds a secret value is refused, and the value is told to nobody (I7 silent)', () => {
  test('the sample of the article with keys in the file names the command that stores them', () => {
    for (const file of ['/cluster/openclaw.json', '/cluster/openclaw.json5']) {
      const error = refusal(ARTICLE_KEYS, file)
      expect(error.message).toContain('threadbound secrets create')
      expect(error.message).not.toMatch(/xxx|pass-4711/)
      expect(error.problems.map(({ line, path }) => `${line} ${path}`)).toEqual(
        expect.arrayContaining([
          '5 secrets.openai.api-key',
          '9 secrets.anthropic.api-key',
          '14 secrets.database.db-password',
        ]),
      )
    }
  })

  const places: [string, (key: string) => string][] = [
    ['a value of the wrong kind', (key) => `agents: { a: { model: claude-x, timeout: "${key}" } }`],
    ['a model', (key) => `agents: { a: { model: "${key}" } }`],
    ['a name in a list', (key) => `agents: { a: { model: claude-x, secrets: ["${key}"] } }`],
    ['a key', (key) => `agents: { "${key}": { model: claude-x } }`],
    [
      'a header',
      (key) =>
        `secrets: { a: { provider: github, egress: { base-url: "https://a.b", header: "x: ${key}", allow: ["GET /"] } } }`,
    ],
    ['a comment', (key) => `cluster: a # ${key}`],
    ['a prompt', (key) => `agents: { a: { model: claude-x, system: "Use ${key} to log in" } }`],
    ['broken YAML', (key) => `cluster: [ "${key}"\nagents: }`],
    [
      'escaped text',
      (key) =>
        `agents: { a: { model: claude-x, system: "\\u00${key.charCodeAt(0).toString(16)}${key.slice(1)}" } }`,
    ],
    ['an unknown mapping', (key) => `foo: { bar: [{ baz: "${key}" }] }`],
  ]
  test.each(places.flatMap(([what, write]) => KEYS.map((key) => [what, key.slice(0, 9), write(key), key])))(
    'in %s: %s…',
    (_what, _begin, text, key) => {
      const error = refusal(text)
      expect(error.message).toContain('threadbound secrets create')
      expect(JSON.stringify([error.message, error.problems])).not.toContain(key.slice(3))
    },
  )

  test('a password in a URL is refused', () => {
    expect(refusal('alerts: { webhook: "https://me:hunter22@example.com/" }').message).not.toContain(
      'hunter22',
    )
  })

  test('a key of any look under a key that can only hold a secret is refused', () => {
    for (const name of [
      'api-key',
      'apiKey',
      'API_KEY',
      'password',
      'db-password',
      'token',
      'access-token',
      'value',
    ]) {
      const text = `secrets: { github: { provider: github, ${name}: correct-horse } }`
      expect(problemsOf(text), name).toMatchObject([{ path: `secrets.github.${name}` }])
      expect(refusal(text).message).toContain('threadbound secrets create')
      expect(refusal(text).message).not.toContain('horse')
    }
  })

  test('a bare value in place of a secret is refused', () => {
    expect(refusal('secrets: { openai-api-key: correct-horse }').message).not.toContain('horse')
  })

  test('names of secrets, paths and prose do not look like keys', () => {
    const text = `# keys such as sk-… live in Vault; ask task-force
agents:
  task-runner: { model: claude-x, handler: ./agents/sk-reader.ts, secrets: [github-token] }
  desk-agent: { model: gpt-x, system: "Ask whether the value is right; a token is a word." }
secrets:
  github-token: { provider: github }
`
    expect(problemsOf(text)).toEqual([])
  })
})

function refusal(text: string, file?: string): ClusterFileError {
  try {
    parse(text, file)
  } catch (error) {
    if (error instanceof ClusterFileError) return error
    throw error
  }
  throw new Error('the file was accepted')
}
