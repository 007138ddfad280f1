import { describe, expect, test } from 'vitest'
import { problemsOf } from './samples.ts'

const secret = (line: string) => `secrets:\n  s:\n    provider: github\n    ${line}\n`
const egress = (parts: { base?: string; header?: string; allow?: string }) => {
  const { base = 'https://api.example.com', header = 'x-key: {value}', allow = 'GET /a' } = parts
  return secret(`egress: ${JSON.stringify({ 'base-url': base, header, allow: [allow] })}`)
}

describe('egress', () => {
  test.each([
    'ftp://example.com',
    'example.com',
    'https://user@example.com',
    'https://example.com/?a=1',
    'https://example.com/#a',
    'https://example.com/a/../b',
    'https://example.com/a/%2e%2E/b',
    'https://example.com\\a',
    'https://',
    'https:///a',
    'https://example.com/a b',
    'https://example.com/\n',
    'javascript:alert(1)',
  ])('base-url %j is refused and not repeated', (base) => {
    const [problem, ...more] = problemsOf(egress({ base }))
    expect(more).toEqual([])
    expect(problem).toMatchObject({ line: 4, path: 'secrets.s.egress.base-url' })
    expect(problem!.message).toBe(
      'expected an http or https URL without credentials, query, fragment or .. in its path, such as https://api.example.com',
    )
  })

  test.each([
    'x-key: abc',
    'x-key: {value} {value}',
    'x-key: {value}\r\nx-other: 1',
    'x-key: {value}\n',
    'x-key:{value}',
    '{value}: x',
    'x key: {value}',
    'host: {value}',
    'Transfer-Encoding: {value}',
    'x-key: {value}\u00e9',
  ])('header %j is refused', (header) => {
    expect(problemsOf(egress({ header }))).toMatchObject([{ path: 'secrets.s.egress.header' }])
  })

  test.each([
    '/v1',
    'POST',
    'POST v1',
    'post /v1',
    'FETCH /v1',
    'POST /a/../b',
    'POST /a?',
    'POST /a?b=1',
    'POST /a?b&',
    'POST /a?b?c',
    'POST /a#b',
    'POST //a',
    'POST /a b',
    'POST /%2e%2e/a',
  ])('allow %j is refused', (allow) =>
    expect(problemsOf(egress({ allow }))).toMatchObject([{ path: 'secrets.s.egress.allow' }]),
  )

  test('what is right passes', () => {
    const right = {
      base: 'http://127.0.0.1:8080/v1',
      header: 'authorization: Bearer {value}',
      allow: 'PATCH /v1/*/x',
    }
    expect(problemsOf(egress(right))).toEqual([])
  })

  test.each(['GET /v1/search?q', 'GET /v1/*?q&page.size&x-y'])('allow %j declares query names', (allow) =>
    expect(problemsOf(egress({ allow }))).toEqual([]),
  )

  test.each(['10.0.0.0', '10.0.0.0/33', 'example.com/8', '10.0.0.0/8/8', ''])(
    'network %j is refused',
    (network) => {
      const parts = { 'base-url': 'https://a.example', header: 'x-key: {value}', allow: ['GET /a'] }
      expect(
        problemsOf(secret(`egress: ${JSON.stringify({ ...parts, networks: [network] })}`)),
      ).toMatchObject([{ path: 'secrets.s.egress.networks' }])
    },
  )

  test.each([
    'SELECT ON t; DROP TABLE t',
    'SELECT ON t -- x',
    'SELECT ON t TO public',
    'SELECT',
    'SELECT ON {{name}}',
    'SELECT ON t\nx',
  ])('grant %j is refused', (grant) => {
    const text = `secrets:\n  s:\n    provider: postgres\n    connect: { host: h, database: d, admin-secret: adm }\n    grant: ${JSON.stringify([grant])}\n  adm: { provider: postgres-admin }`
    expect(problemsOf(text)).toMatchObject([{ line: 5, path: 'secrets.s.grant' }])
  })
})
