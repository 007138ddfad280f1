import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Output } from '../../../services/launcher/output.ts'

const afterStderr = (text: string) => {
  const output = new Output(
    100_000,
    () => {},
    () => {},
  )
  const stderr = new PassThrough()
  output.read('stderr', stderr)
  stderr.write(text)
  return output
}

test.each([
  'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
  'FATAL ERROR: Scavenger: semi-space copy Allocation failed - JavaScript heap out of memory',
  '#\n# Fatal process out of memory: Worklist::Segment::Create\n#\n----- Native stack trace -----',
  "terminate called after throwing an instance of 'std::bad_alloc'",
])('I2: a process that says %j before it ends is out of memory', (text) => {
  expect(afterStderr(text).saysOutOfMemory).toBe(true)
})

test('other last words are no lack of memory', () => {
  expect(afterStderr('FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal').saysOutOfMemory).toBe(false)
})
