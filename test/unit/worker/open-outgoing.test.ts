import { silentLog } from '#lib/runtime'
import { inSpan } from '#lib/telemetry'
import { expect, test } from 'vitest'
import type { Attempt } from '../../../services/worker/attempt.ts'
import { openOutgoing } from '../../../services/worker/open-outgoing.ts'
import { noRedaction } from '../../../services/worker/redaction.ts'
import { collectSpans } from '../../support/spans.ts'

test('I10: the secrets that were masked in what an attempt says are counted on its span', async () => {
  await using seen = await collectSpans('worker')
  const redaction = {
    ...noRedaction,
    isNeeded: () => true,
    redact: async <T>({ value }: { value: T }) => ({ value, found: ['a', 'b'] }),
  }
  await inSpan('process', {}, async () => {
    const outgoing = openOutgoing(redaction, silentLog)({ job: { id: 'x.1' }, grant: 'g' } as Attempt)
    await outgoing.clear('log', 'one')
    await outgoing.clear('result', 'two')
  })
  expect(seen.spans()[0]!.attributes).toMatchObject({ 'threadbound.redactions': 4 })
})
