import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createLog } from '#lib/runtime'
import { SecretValue } from '#lib/secrets'

describe('I7 silent: a secret value', () => {
  const value = new SecretValue('api-key', 'canary-ÿ-value', 4)

  test('is lent as bytes and as text', () => {
    expect(value.reveal()).toBe('canary-ÿ-value')
    expect(value.use((bytes) => bytes.length)).toBe(15)
  })

  test.each<[string, () => unknown]>([
    ['text', () => String(value)],
    ['addition', () => 'x' + (value as unknown as string)],
    ['JSON', () => JSON.stringify({ a: [value] })],
    [
      'inspect with everything shown',
      () => inspect({ value }, { showHidden: true, depth: 9, getters: true }),
    ],
    [
      'an error',
      () => String(new Error('no', { cause: value }).stack) + inspect(new Error('no', { cause: value })),
    ],
    ['structuredClone', () => inspect(structuredClone(value), { showHidden: true })],
    [
      'its own keys',
      () => JSON.stringify([Reflect.ownKeys(value), Object.values(value), Object.assign({}, value)]),
    ],
    ['Object.prototype.toString', () => Object.prototype.toString.call(value)],
  ])('is not shown by %s', (_how, print) => {
    expect(print()).not.toContain('canary')
  })

  test('is not shown by the log', () => {
    const lines: string[] = []
    const log = createLog('test', 'info')
    const symbols = Object.getOwnPropertySymbols(log)
    const stream = symbols.find((symbol) => symbol.description === 'pino.stream')!
    Object.assign(log, { [stream]: { write: (line: string) => lines.push(line) } })
    log.info({ value, nested: { value } }, 'with a secret')
    expect(lines.join('')).toContain('[secret api-key@4]')
    expect(lines.join('')).not.toContain('canary')
  })

  test('is gone once wiped, also from the bytes that were lent', () => {
    const short = new SecretValue('x', 'canary')
    const bytes = short.use((lent) => lent)
    short.wipe()
    short.wipe()
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(() => short.reveal()).toThrow('[secret x@0] was wiped')
  })
})
