import { describe, expect, test } from 'vitest'
import { parsePolicy } from '../../../libs/dev-vault/acl/policy.ts'

const only = (text: string) => {
  const rules = parsePolicy(text)
  expect(rules).toHaveLength(1)
  return rules[0]!
}

describe('HCL', () => {
  test('comments, heredocs, escapes, commas and both ways to write an object are read', () => {
    const rules = parsePolicy(`
      # one
      // two
      /* three
         path "not" { capabilities = ["read"] } */
      path "a\\"b" { capabilities = ["read", "list",] } path "c" {
        capabilities = [
          "update", # here too
        ]
        comment = <<-EOT
          path "neither" {}
          EOT
        allowed_parameters = { "x" = ["1", 2, true], y = [] }
        min_wrapping_ttl = "1m"
        max_wrapping_ttl = 120
      }`)
    expect(rules.map(({ path }) => path)).toEqual(['a"b', 'c'])
    expect(rules[1]).toMatchObject({ minWrapMs: 60_000, maxWrapMs: 120_000 })
    expect([...rules[1]!.allowed]).toEqual([
      ['x', ['1', 2, true]],
      ['y', []],
    ])
  })

  test('a leading slash is taken off, deny wipes the rest, the old policy key is read', () => {
    expect(only('path "/a" { capabilities = ["read", "deny"] }')).toMatchObject({
      path: 'a',
      capabilities: new Set(['deny']),
    })
    expect(only('path "a" { policy = "write" }').capabilities).toEqual(
      new Set(['create', 'read', 'update', 'delete', 'list']),
    )
  })

  test('a rule with a template vanishes, since no template can resolve', () => {
    expect(parsePolicy('path "a/{{identity.entity.id}}" { capabilities = ["read"] }')).toEqual([])
  })

  test.each([
    ['path "a" { capabilities = ["read"]', 'expected a key'],
    ['path "a" { capabilities = "read" }', 'list of strings'],
    ['path "a" { capabilities = ["fly"] }', 'invalid capability "fly"'],
    ['path "a" {\n\n  other = 1 }', 'invalid key "other" on line 3'],
    ['path "a" { capabilities = ["read" }', 'in a list'],
    ['path "a', 'string is not closed'],
    ['/* path', 'comment is not closed'],
    ['path "a/+*" {}', "'+*' is forbidden"],
    ['path "a" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }', 'cannot be less'],
    ['path "a" { min_wrapping_ttl = "soon" }', 'expected a duration'],
    ['policy "a" {}', 'invalid key "policy" on line 1'],
    [`path "a" { x = ${'['.repeat(10_000)} }`, 'nested too deeply'],
  ])('%s is refused', (text, problem) => {
    expect(() => parsePolicy(text)).toThrow(problem)
  })
})

describe('JSON', () => {
  test('says the same as HCL', () => {
    expect(only('{"path": {"a/*": {"capabilities": ["read"], "required_parameters": ["x"]}}}')).toMatchObject(
      {
        path: 'a/*',
        capabilities: new Set(['read']),
        required: ['x'],
      },
    )
    expect(parsePolicy('{"path": [{"a": {"policy": "read"}}, {"b": {"policy": "deny"}}]}')).toHaveLength(2)
  })

  test('an unknown key is refused', () => {
    expect(() => parsePolicy('{"paths": {}}')).toThrow('invalid key "paths"')
  })
})
