import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  canonicalJson,
  ExpiredJobError,
  ForgedJobError,
  InvalidJobError,
  type JobData,
  type JobFacts,
  signJob,
  UnsignedJobError,
  verifyJob,
} from '#lib/queue'

const NOW = 1_800_000_000_000
const FACTS: JobFacts = {
  id: 'writer.01',
  agentType: 'writer',
  input: { question: 'why?', b: [1, { z: 1, a: null }] },
  metadata: { order: '7' },
  tenant: 'acme',
  caller: 'shop',
  chain: ['coordinator'],
  createdAt: NOW,
  expiresAt: NOW + 1000,
}

function setup() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const job = signJob(privateKey, FACTS)
  /** What a reader of the queue sees. */
  const found = JSON.parse(JSON.stringify(job)) as JobData
  const judge = (data: unknown, more: object = {}) =>
    verifyJob(publicKey, {
      id: FACTS.id,
      agentType: 'writer',
      data,
      acceptUnsigned: false,
      now: NOW,
      ...more,
    })
  return { privateKey, found, judge }
}

describe('I5: a job is what a producer signed', () => {
  test('a signed job comes back with every fact that was signed', () => {
    const { found, judge } = setup()
    expect(judge(found)).toEqual({ ...FACTS, signed: true })
  })

  test('a job whose keys lie in another order is still the same job', () => {
    const { found, judge } = setup()
    const shuffled = { ...found, input: { b: [1, { a: null, z: 1 }], question: 'why?' } }
    expect(judge(shuffled).signed).toBe(true)
  })

  test.each<[string, object]>([
    ['input', { input: { question: 'other' } }],
    ['metadata', { metadata: { order: '8' } }],
    ['tenant', { tenant: 'evil' }],
    ['caller', { caller: 'evil' }],
    ['chain', { chain: [] }],
    ['expiresAt', { expiresAt: NOW + 9999 }],
    ['createdAt', { createdAt: NOW - 1 }],
    ['inputHash', { inputHash: '0'.repeat(64) }],
    ['signature', { signature: 'AAAA' }],
  ])('a job with its %s edited is forged', (_field, edit) => {
    const { found, judge } = setup()
    expect(() => judge({ ...found, ...edit })).toThrow(ForgedJobError)
  })

  test('an input changed together with its hash is forged', () => {
    const { found, judge } = setup()
    const { inputHash } = signJob(generateKeyPairSync('ed25519').privateKey, { ...FACTS, input: 1 })
    expect(() => judge({ ...found, input: 1, inputHash })).toThrow(/signature does not fit/)
  })

  test('a signed job is refused under another id and in another queue', () => {
    const { found, judge } = setup()
    expect(() => judge(found, { id: 'writer.02' })).toThrow(ForgedJobError)
    expect(() => judge(found, { agentType: 'coordinator' })).toThrow(ForgedJobError)
  })

  test('a job signed with another key is forged', () => {
    const { judge } = setup()
    expect(() => judge(signJob(generateKeyPairSync('ed25519').privateKey, FACTS))).toThrow(ForgedJobError)
  })

  test('a job is refused from the millisecond of its expiry on, and accepted just before', () => {
    const { found, judge } = setup()
    expect(judge(found, { now: NOW + 999 }).signed).toBe(true)
    expect(() => judge(found, { now: NOW + 1000 })).toThrow(ExpiredJobError)
  })

  test('taking the signature off does not turn an envelope into an unsigned job', () => {
    const { found, judge } = setup()
    const { signature: _, ...rest } = found
    expect(() => judge(rest, { acceptUnsigned: true })).toThrow(InvalidJobError)
  })
})

describe('unsigned jobs', () => {
  test('the documented shape is accepted as tenant "unsigned" where the type accepts it', () => {
    const { judge } = setup()
    const job = judge({ input: { a: 1 }, metadata: { k: 'v' } }, { acceptUnsigned: true })
    expect(job).toMatchObject({
      input: { a: 1 },
      metadata: { k: 'v' },
      tenant: 'unsigned',
      signed: false,
      chain: [],
    })
  })

  test('the same is refused where the type does not', () => {
    const { judge } = setup()
    expect(() => judge({ input: 1 })).toThrow(UnsignedJobError)
  })

  test.each<[string, unknown, RegExp]>([
    ['no input', { metadata: {} }, /input: .*nonoptional/],
    ['an unknown field', { input: 1, tenant: 'acme' }, /"tenant"/],
    ['metadata that is no text', { input: 1, metadata: { a: 1 } }, /metadata\.a: .*string/],
    ['a text', 'hello', /expected object/],
    ['nothing', null, /expected object/],
    ['an envelope of another version', { v: 2, input: 1 }, /v: .*1/],
  ])('a job with %s fails with an error that says why', (_what, data, why) => {
    const { judge } = setup()
    expect(() => judge(data, { acceptUnsigned: true })).toThrow(InvalidJobError)
    expect(() => judge(data, { acceptUnsigned: true })).toThrow(why)
  })
})

describe('canonical JSON', () => {
  test('a value and its copy through JSON have one text', () => {
    const value = { b: -0, a: [undefined, 'ü\u2028', 1e21], n: undefined, '10': 1, '9': 2 }
    expect(canonicalJson(JSON.parse(JSON.stringify({ ...value, a: [null, 'ü\u2028', 1e21] })))).toBe(
      canonicalJson({ ...value, a: [null, 'ü\u2028', 1e21] }),
    )
  })

  test('a member named __proto__ is covered like any other', () => {
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}')
  })

  test('what nests deeper than 64 levels is refused before it can overflow the stack', () => {
    let deep: unknown = 1
    for (let level = 0; level < 100_000; level++) deep = [deep]
    expect(() => canonicalJson(deep)).toThrow(/deeper than 64/)
  })
})
