import { describe, expect, test } from 'vitest'
import { matchEgress } from '#lib/broker'

const rules = {
  baseUrl: 'https://api.example.com',
  allow: ['POST /v1/messages', 'GET /v1/items/*', 'GET /v1/search?q&limit'],
}
const ask = (method: string, path: string) => matchEgress(rules, method, `https://api.example.com${path}`)

describe('G10: method and path are matched on the exact bytes that are sent', () => {
  test('what a rule names passes unchanged', () => {
    expect(ask('POST', '/v1/messages')).toEqual({ origin: 'https://api.example.com', path: '/v1/messages' })
    expect(ask('GET', '/v1/items/a%20b/parts')).toMatchObject({ path: '/v1/items/a%20b/parts' })
    expect(ask('GET', '/v1/items/%e0%a4%85%F0%9F%98%80')).toMatchObject({
      path: '/v1/items/%e0%a4%85%F0%9F%98%80',
    })
    expect(ask('GET', '/v1/search?q=a%26b&limit=3')).toMatchObject({ path: '/v1/search?q=a%26b&limit=3' })
  })

  test.each([
    ['GET', '/v1/messages'],
    ['post', '/v1/messages'],
    ['POST', '/v1/messages/'],
    ['POST', '/v1/messages?beta=true'],
    ['POST', '/v1/MESSAGES'],
    ['GET', '/v1/search?q=1&admin=1'],
    ['GET', '/v1/search?q=1;admin=1'],
    ['GET', '/v1/search?q=1&%61dmin=1'],
    ['GET', '/v1/search?_method=DELETE'],
    ['GET', '/v1/items/../messages'],
    ['GET', '/v1/items/..'],
    ['GET', '/v1/items/./a'],
    ['GET', '/v1/items/%2e%2e/admin'],
    ['GET', '/v1/items/%2E./admin'],
    ['GET', '/v1/items/a%2fb'],
    ['GET', '/v1/items/a%5Cb'],
    ['GET', '/v1/items/a%252fb'],
    ['GET', '/v1/items/a%3fb'],
    ['GET', '/v1/items/a%23b'],
    ['GET', '/v1/items/a%3Bb'],
    ['GET', '/v1/items/%c0%ae%c0%ae%c0%af'],
    ['GET', '/v1/items/%e0%80%ae%e0%80%ae/admin'],
    ['GET', '/v1/items/%F0%80%80%AF'],
    ['GET', '/v1/items/%f8%80%80%80%ae'],
    ['GET', '/v1/items/%fc%80%80%80%80%ae'],
    ['GET', '/v1/items/%u002e'],
    ['GET', '/v1/items/a%'],
    ['GET', '/v1/items/a%4'],
    ['GET', '/v1/items/a%0ab'],
    ['GET', '/v1/items/a%00'],
    ['GET', '/v1/items/a%7f'],
    ['GET', '/v1/items/a\\b'],
    ['GET', '/v1/items//admin'],
    ['GET', '/v1/items/a;b'],
    ['GET', '/v1/items/a b'],
    ['GET', '/v1/items/a\r\nX: y'],
    ['GET', '/v1/items/a#b'],
    ['GET', 'https://evil.example/v1/items/a'],
  ])('%s %j is refused', (method, path) =>
    expect(() => ask(method, path)).toThrow(/rule|path|host|address|query/),
  )

  test.each([
    'https://api.example.com:8443/v1/messages',
    'http://api.example.com/v1/messages',
    'https://api.example.com@evil.example/v1/messages',
    'https://api.example.com.evil.example/v1/messages',
    'https://api.example.com\\.evil.example/v1/messages',
    'HTTPS://api.example.com/v1/messages',
    '/v1/messages',
  ])('%s is another host', (address) =>
    expect(() => matchEgress(rules, 'POST', address)).toThrow(/host|address/),
  )

  test('a base-url with a path holds its secret inside of it', () => {
    const inside = { baseUrl: 'https://a.example/api', allow: ['GET *'] }
    expect(matchEgress(inside, 'GET', 'https://a.example/api/x').path).toBe('/api/x')
    expect(() => matchEgress(inside, 'GET', 'https://a.example/apix')).toThrow(/base-url/)
  })

  test('a long path is judged in time that grows with its length alone', () => {
    const many = { baseUrl: 'https://a.example', allow: ['GET /*/*/*/*/issues'] }
    const long = `https://a.example${'/a'.repeat(7000)}`
    expect(() => matchEgress(many, 'GET', long)).toThrow(/no rule/)
    expect(matchEgress(many, 'GET', `${long}/issues`).path).toHaveLength(14_007)
  })

  test.each([
    ['/a/*/b', '/a/x/b', true],
    ['/a/*/b', '/a//b', false],
    ['/a/*b', '/a/b', true],
    ['/ab*ba', '/aba', false],
    ['/*ab*ab', '/ab', false],
    ['/*ab*ab', '/abab', true],
    ['/a*b*c', '/axbxc', true],
    ['/a*b*c', '/axcxb', false],
    ['/a*', '/a', true],
    ['/a.c', '/abc', false],
  ])('rule %s for path %s: %j', (pattern, path, passes) => {
    const ask = () =>
      matchEgress(
        { baseUrl: 'https://a.example', allow: [`GET ${pattern}`] },
        'GET',
        `https://a.example${path}`,
      )
    if (passes) expect(ask().path).toBe(path)
    else expect(ask).toThrow(/no rule|path/)
  })
})
