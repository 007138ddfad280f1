import { describe, expect, test } from 'vitest'
import { vaultNames } from '#lib/vault'

const LETTERS = 'ab-'
/** Every legal name of up to four characters over a small alphabet, where collisions would show. */
function allNames(): string[] {
  const names: string[] = []
  const grow = (text: string) => {
    if (text.length > 4 || text.includes('--')) return
    if (text) names.push(text)
    for (const letter of LETTERS) if (text || letter !== '-') grow(text + letter)
  }
  grow('')
  return names
}

describe('names in Vault', () => {
  test('no two of (cluster, environment, name) share any name or path', () => {
    const some = allNames().filter((_name, index) => index % 5 === 0)
    const seen = new Map<string, string>()
    for (const cluster of some)
      for (const environment of some) {
        const names = vaultNames({ cluster, environment })
        for (const name of some)
          for (const made of [
            names.secret(name),
            names.agent(name),
            names.database(name),
            names.credentials(name),
            names.rotation(name),
            names.pending(name),
          ]) {
            const triple = JSON.stringify([cluster, environment, name])
            expect(seen.get(made) ?? triple).toBe(triple)
            seen.set(made, triple)
          }
      }
    expect(seen.size).toBe(some.length ** 3 * 6)
  })

  test('what one cluster and environment owns, which pruning may take, no other owns', () => {
    const some = allNames().filter(({ length }) => length <= 2)
    const scopes = some.flatMap((cluster) => some.map((environment) => vaultNames({ cluster, environment })))
    for (const mine of scopes)
      for (const name of [mine.agent('a-'), mine.sidecar, mine.rotator, mine.database('b')])
        expect(scopes.filter(({ owns }) => owns(name))).toEqual([mine])
  })

  test('an agent type, a secret and a service never share a name', () => {
    const names = vaultNames({ cluster: 'c', environment: 'e' })
    const ofAll = ['sidecar', 'rotator'].flatMap((name) => [names.agent(name), names.database(name)])
    expect(new Set([...ofAll, names.sidecar, names.rotator]).size).toBe(6)
  })

  test.each(['', 'A', '1a', '-a', 'a--b', 'a/b', 'a_b', 'a.b', '__proto__', 'a'.repeat(42), 'a\n'])(
    'the name %j is refused, and says what was expected',
    (name) => {
      const names = vaultNames({ cluster: 'c', environment: 'e' })
      for (const make of [names.secret, names.agent, names.database, names.credentials, names.pending])
        expect(() => make(name)).toThrow(/expected \[a-z\]/)
      expect(() => vaultNames({ cluster: name, environment: 'e' })).toThrow(/cluster/)
      expect(() => vaultNames({ cluster: 'c', environment: name })).toThrow(/environment/)
    },
  )

  test('they read as the contract says', () => {
    const names = vaultNames({ cluster: 'demo', environment: 'dev' })
    expect(names.secret('openai-api-key')).toBe('kv/data/tb/demo/dev/openai-api-key')
    expect(names.agent('coordinator')).toBe('tb--demo--dev--agent--coordinator')
    expect(names.sidecar).toBe('tb--demo--dev--sidecar')
    expect(names.credentials('orders-db')).toBe('database/creds/tb--demo--dev--db--orders-db')
    expect(names.agentTypeOf(names.agent('coordinator'))).toBe('coordinator')
    expect(names.agentTypeOf(names.sidecar)).toBeUndefined()
    expect(names.rotation('openai-api-key')).toBe('kv/data/tb/demo/dev--rotation/openai-api-key')
    expect(names.pending('openai-api-key')).toBe('kv/data/tb/demo/dev--pending/openai-api-key')
    expect(names.pendingMetadata('a')).toBe('kv/metadata/tb/demo/dev--pending/a')
    expect(names.sidecarSecretId).toBe('auth/approle/role/tb--demo--dev--sidecar/secret-id')
  })
})
