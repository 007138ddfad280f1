import { expect, test } from 'vitest'
import { attribute } from '#lib/telemetry'
import type { Receipt } from '#lib/wire'
import { limitsInForce } from '../../../libs/context/limits-in-force.ts'
import { lostReceipt } from '../../../libs/context/lost-receipt.ts'
import { receiptAttributes } from '../../../services/worker/receipt-attributes.ts'

const held = {
  memoryBy: 'cgroup-v1',
  processes: { value: 128, by: 'cgroup-v1' },
  openFiles: null,
  diskBytes: null,
  cpuWeight: { value: 110, by: 'nice' },
} as const
const asked = { memoryBytes: 50e6, heapMiB: 64, timeoutMs: 30_000, outputBytes: 2 ** 20 }
const lost = lostReceipt({ context: 'c1', level: 'process', held, asked, identity: { pid: 7, uid: 9 } })
const measured: Receipt = {
  ...lost,
  peakBytes: 51e6,
  overshootBytes: 1e6,
  cpuMs: 12.5,
  exitCode: 0,
  leftOver: { processes: 0, ipcObjects: 0 },
}

test('a span carries every fact of a receipt, and every limit with what holds it', () => {
  const attributes = receiptAttributes(measured)
  expect(attributes).toMatchObject({
    [attribute.contextId]: 'c1',
    [attribute.contextPid]: 7,
    [attribute.contextUid]: 9,
    [attribute.overshootBytes]: 1e6,
    [attribute.cpuMs]: 12.5,
    [attribute.contextExitCode]: 0,
    [attribute.leftOverProcesses]: 0,
    'threadbound.context.limit.memoryBytes': '50000000 cgroup-v1',
    'threadbound.context.limit.heapBytes': '67108864 v8',
    'threadbound.context.limit.cpuWeight': '110 nice',
  })
  expect(attributes).not.toHaveProperty('threadbound.context.limit.openFiles')
})

test('a receipt that nobody could give claims no measurement', () => {
  const attributes = receiptAttributes(lost)
  for (const name of [attribute.peakBytes, attribute.cpuMs, attribute.leftOverProcesses])
    expect(attributes[name]).toBeUndefined()
  expect(lost.endedBy).toBe('worker-gone')
  expect(lost.limits).toEqual(limitsInForce(held, asked))
})
