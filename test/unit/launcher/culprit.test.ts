import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { culpritOf } from '../../../services/launcher/culprit.ts'
import { LastWords } from '../../../services/launcher/last-words.ts'

const of = (threadId: number | undefined, isAcquired: boolean) => ({ threadId, isAcquired })

describe('who took a thread host down', () => {
  const [spare, one, two] = [of(1, false), of(2, true), of(3, true)]

  test('is whom the report names, running or not', () => {
    expect(culpritOf([spare, one, two], 3)).toBe(two)
    expect(culpritOf([spare, one, two], 1)).toBe(spare)
  })
  test('is the only one that ran, else nobody', () => {
    expect(culpritOf([spare, one], undefined)).toBe(one)
    expect(culpritOf([spare, one, two], undefined)).toBeUndefined()
    expect(culpritOf([], undefined)).toBeUndefined()
  })
  test('is a spare where it was there alone', () => {
    expect(culpritOf([spare], undefined)).toBe(spare)
    expect(culpritOf([spare, of(undefined, false)], undefined)).toBeUndefined()
  })
  test('is not guessed from a thread that is not there any more', () => {
    expect(culpritOf([spare, one, two], 9)).toBeUndefined()
  })
})

/** As Node 26 wrote it. */
const REPORT =
  '{"header":{"reportVersion":5,"event":"Allocation failed - JavaScript heap out of memory","trigger":"OOMError",' +
  '"filename":"stderr","dumpEventTime":"2026-11-27T14:53:20Z","dumpEventTimeStamp":"1795791200331","processId":9039,' +
  '"threadId":2,"cwd":"/","commandLine":["node","--report-on-fatalerror"],"nodejsVersion":"v26.10.0"}}\n'

async function heard(...chunks: string[]): Promise<LastWords> {
  const from = new PassThrough()
  const words = new LastWords(from)
  for (const chunk of chunks) from.write(chunk)
  from.end()
  await new Promise((resolve) => from.once('end', resolve))
  return words
}

describe('the last words of a thread host', () => {
  test('name the thread of a report, however it is cut', async () => {
    const words = await heard('FATAL ERROR: x\n', REPORT.slice(0, 130), REPORT.slice(130))
    expect([words.threadId, words.saysOutOfMemory]).toEqual([2, true])
  })
  test('name the last report, and nobody where there is none', async () => {
    expect((await heard(REPORT.replace('"threadId":2', '"threadId":1'), REPORT)).threadId).toBe(2)
    const none = await heard('Segmentation fault\n')
    expect([none.threadId, none.saysOutOfMemory, none.line]).toEqual([undefined, false, 'Segmentation fault'])
  })
  test('are kept in part, whatever is written', async () => {
    const words = await heard('x'.repeat(2 ** 19), REPORT)
    expect(words.threadId).toBe(2)
  })
})
