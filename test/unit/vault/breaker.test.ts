import { describe, expect, test } from 'vitest'
import { vaultNames } from '#lib/vault'
import { settle, TurnedClock } from '../../support/turned-clock.ts'
import { answer, stubVault } from '../../support/vault-stub.ts'

const KEY = vaultNames({ cluster: 'demo', environment: 'dev' }).secret('openai-api-key')
const entry = { data: { data: { value: 'v' }, metadata: { version: 3 } } }

/** A Vault that leaves the first calls without an answer; calls that are sent once, so that each is one request. */
async function setup(unanswered: number, status = 200, random = () => 0) {
  const vault = await stubVault((_request, response, nth) =>
    nth <= unanswered
      ? response.destroy()
      : answer(response, status, status === 200 ? entry : { errors: [] }),
  )
  const clock = new TurnedClock()
  const client = await vault.client({ clock, random })
  const write = () => client.kvWrite('t', KEY, { value: 'v' }).catch((error: unknown) => error)
  return { vault, clock, client, write }
}

describe('a Vault that does not answer', () => {
  test('is not asked after five calls, for a second; then by one call, whose answer opens the way for all', async () => {
    const { vault, clock, write } = await setup(5)
    await using _vault = vault
    for (const _ of Array(5)) expect(await write()).toMatchObject({ kind: 'network' })
    expect(await write()).toMatchObject({
      kind: 'network',
      retryable: true,
      reason: 'not asked, since 5 calls got no answer',
    })
    expect(vault.seen).toHaveLength(5)
    await clock.advance(1000)
    const [first, second] = await Promise.all([write(), write()])
    expect(second).toMatchObject({ reason: 'not asked, since 5 calls got no answer' })
    expect(first).not.toMatchObject({ reason: expect.stringContaining('not asked') })
    await write()
    expect(vault.seen).toHaveLength(7)
  })

  test('stays spared while the one call gets no answer either', async () => {
    const { vault, clock, write } = await setup(100)
    await using _vault = vault
    for (const _ of Array(5)) await write()
    for (const _ of Array(3)) {
      await clock.advance(1000)
      await write()
      await write()
    }
    expect(vault.seen).toHaveLength(8)
  })

  test('who is refused hears it at once, also of a call that would be repeated', async () => {
    const { vault, clock, client, write } = await setup(5, 200, () => 1)
    await using _vault = vault
    for (const _ of Array(5)) await write()
    let refusal: unknown
    void client.kvRead('t', KEY).catch((error: unknown) => (refusal = error))
    await settle()
    expect(refusal).toMatchObject({ kind: 'network', retryable: true })
    expect(clock.sleeping).toBe(0)
  })

  test('a refusal is an answer', async () => {
    const { vault, write } = await setup(4, 403)
    await using _vault = vault
    for (const _ of Array(10)) await write()
    expect(vault.seen).toHaveLength(10)
  })
})
