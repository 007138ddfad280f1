import { describe, expect, test } from 'vitest'
import { Acl, type AccessRequest } from '../../../libs/dev-vault/acl/acl.ts'
import { parsePolicy } from '../../../libs/dev-vault/acl/policy.ts'

const rule = (path: string, ...capabilities: string[]) =>
  `path "${path}" { capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}] }\n`
const aclOf = (...policies: string[]) => new Acl(policies.flatMap(parsePolicy))
const ask = (path: string, more: Partial<AccessRequest> = {}): AccessRequest => ({
  operation: 'read',
  path,
  data: new Map(),
  ...more,
})
const body = (data: object) => new Map<string, unknown>(Object.entries(data))

describe('I5 least: which rule counts', () => {
  test.each([
    ['foo/bar/bar/baz', '*', '+/*'],
    ['foo/bar/bar/baz', 'foo/+/*', '+/*'],
    ['foo/bar/bar/baz', 'foo/+/bar/baz', 'foo/+/+/*'],
    ['foo/bar/bar/baz', 'foo/bar/+/baz', 'foo/bar/+/baz*'],
    ['foo/bar/bar/baz', 'foo/bar/+/ba*', 'foo/bar/+/b*'],
    ['foo/bar/bar/baz', 'foo/bar/+/baz', 'foo/+/bar/baz'],
    ['foo/bar/bar/baz', 'foo/+/bar/baz', 'foo/+/+/baz'],
    ['foo/bar/bar/baz', 'foo/bar/b*', 'foo/bar/+/baz'],
    ['foo/bar/bar/baz', 'foo/bar/bar/baz', 'foo/bar/bar/ba*'],
    ['foo/bar/bar/baz', 'foo/bar/bar/*', 'foo/bar/*'],
  ])('for %s, %s counts before %s', (path, winner, loser) => {
    // "*" against "+/*": both begin at the same place and end in a glob; the one with fewer segments counts.
    expect(aclOf(rule(loser, 'deny'), rule(winner, 'read')).allows(ask(path))).toBe(true)
    expect(aclOf(rule(winner, 'deny'), rule(loser, 'read')).allows(ask(path))).toBe(false)
  })

  test('a more specific rule lets through what a wider one denies', () => {
    const acl = aclOf(rule('sys/*', 'deny'), rule('sys/seal', 'update', 'sudo'))
    expect(acl.allows(ask('sys/seal', { operation: 'update', sudo: true }))).toBe(true)
    expect(acl.allows(ask('sys/unseal', { operation: 'update' }))).toBe(false)
  })

  test('a plus inside a segment is a letter', () => {
    const acl = aclOf(rule('foo+bar', 'read'), rule('a/+b', 'read'))
    expect(acl.allows(ask('foo+bar'))).toBe(true)
    expect(acl.allows(ask('fooxbar'))).toBe(false)
    expect([acl.allows(ask('a/+b')), acl.allows(ask('a/xb'))]).toEqual([true, false])
  })

  test('a star is a glob at the end alone', () => {
    const acl = aclOf(rule('a*b', 'read'))
    expect([acl.allows(ask('a*b')), acl.allows(ask('axb'))]).toEqual([true, false])
  })

  test('a list falls back to the path without its slash, exact rules first', () => {
    const list = (acl: Acl) => acl.allows(ask('a/b/', { operation: 'list' }))
    expect(list(aclOf(rule('a/b', 'list')))).toBe(true)
    expect(list(aclOf(rule('a/+', 'list')))).toBe(true)
    expect(list(aclOf(rule('a/b', 'deny'), rule('a/b/*', 'list')))).toBe(false)
    expect(aclOf(rule('a/b', 'read')).allows(ask('a/b/'))).toBe(false)
  })

  test('policies with the same pattern unite, deny wins in any order', () => {
    const both = aclOf(rule('a', 'read'), rule('a', 'update'))
    expect(both.capabilities('a')).toEqual(['read', 'update'])
    expect(aclOf(rule('a', 'deny'), rule('a', 'read')).capabilities('a')).toEqual(['deny'])
    expect(aclOf(rule('a', 'read'), rule('a', 'deny')).capabilities('a')).toEqual(['deny'])
    expect(aclOf().capabilities('a')).toEqual(['deny'])
    expect(new Acl([], { root: true }).capabilities('a')).toEqual(['root'])
  })
})

const minted = (parameters: string) => aclOf(`path "a" { capabilities = ["update"] ${parameters} }`)
const update = (data: object, wrapTtlMs?: number) =>
  ask('a', { operation: 'update', data: body(data), wrapTtlMs })

describe('I5 least: parameters and wrapping', () => {
  test('keys do not tell upper from lower case, values may glob at both ends', () => {
    const acl = minted('allowed_parameters = { "Name" = ["*mid*", "pre*", "*post", 7, true] }')
    for (const NAME of ['a-mid-b', 'prefix', 'a-post', true]) expect(acl.allows(update({ NAME }))).toBe(true)
    for (const name of ['other', 'x-pre', 7, 8, '7', null]) expect(acl.allows(update({ name }))).toBe(false)
  })

  test('a star allows the others, and denies everything', () => {
    const allowed = minted('allowed_parameters = { "*" = [], "ttl" = ["1m"] }')
    expect(allowed.allows(update({ other: 1, ttl: '1m' }))).toBe(true)
    expect(allowed.allows(update({ ttl: '2m' }))).toBe(false)
    const denied = minted('denied_parameters = { "*" = [] }')
    expect([denied.allows(update({ a: 1 })), denied.allows(update({}))]).toEqual([false, true])
  })

  test('an empty list of one policy opens the list of another', () => {
    const one = 'path "a" { capabilities = ["update"] allowed_parameters = { "ttl" = ["1m"] } }'
    const other = 'path "a" { capabilities = ["update"] allowed_parameters = { "ttl" = [] } }'
    expect(aclOf(one).allows(update({ ttl: '9m' }))).toBe(false)
    expect(aclOf(one, other).allows(update({ ttl: '9m' }))).toBe(true)
  })

  test('required lists unite, the smaller wrapping limit counts', () => {
    const acl = aclOf(
      'path "a" { capabilities = ["update"] required_parameters = ["x"] max_wrapping_ttl = "1h" }',
      'path "a" { capabilities = ["update"] required_parameters = ["y"] max_wrapping_ttl = "1m" }',
    )
    expect(acl.allows(update({ x: 1, y: 1 }, 60_000))).toBe(true)
    expect(acl.allows(update({ x: 1, y: 1 }, 61_000))).toBe(false)
    expect(acl.allows(update({ x: 1, y: 1 }))).toBe(false)
    expect(acl.allows(update({ x: 1 }, 60_000))).toBe(false)
  })
})
