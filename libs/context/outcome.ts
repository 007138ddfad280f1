import type { Outcome, Receipt, WireError } from '#lib/wire'
import type { Bundle } from './bundle.ts'
import type { End } from './channel.ts'
import { OutputLimitError } from './errors.ts'
import { mapError } from './stack.ts'
import type { StoppedBy } from './stopper.ts'

/** How an attempt ended, and what was measured of its context. */
export interface AttemptEnd {
  outcome: Outcome
  result?: unknown
  memory?: unknown
  /** `permanent`: no further attempt can cure it. */
  error?: WireError & { permanent?: boolean }
  receipt: Receipt
}
type Judgement = Omit<AttemptEnd, 'receipt'>

/** Everything known about an attempt that has ended. */
export interface Facts {
  end: End
  stoppedBy: StoppedBy | undefined
  receipt: Receipt
  bundle: Bundle
}

/** What allocators say when RLIMIT_DATA stops them; V8's own end is the receipt's. */
const NO_MEMORY =
  /Array buffer allocation failed|Failed to allocate memory|ERR_MEMORY_ALLOCATION_FAILED|could not allocate memory|Unable to grow instance memory|ENOMEM/

/** Judges an attempt: first what cut it short, then what it broke, then what it said, then how its process ended. */
export function conclude(facts: Facts): AttemptEnd {
  const judgement = cutShort(facts) ?? violated(facts) ?? said(facts) ?? ended(facts)
  return { ...judgement, receipt: facts.receipt }
}

function cutShort({ stoppedBy, receipt }: Facts): Judgement | undefined {
  const timedOut = stoppedBy === 'timeout' || receipt.endedBy === 'timeout'
  if (timedOut) return problem('timed-out', 'timed-out', `longer than ${receipt.limits.timeMs.value} ms`)
  if (!stoppedBy) return undefined
  return problem(stoppedBy, stoppedBy, `the attempt was ${stoppedBy}`)
}

function violated({ end, receipt }: Facts): Judgement | undefined {
  if (end.kind !== 'violation' && receipt.endedBy !== 'protocol-violation') return undefined
  if (end.kind !== 'violation')
    return problem('failed', 'protocol-violation', 'the context broke its protocol')
  const type = end.error instanceof OutputLimitError ? 'output-limit' : 'protocol-violation'
  return problem('failed', type, end.error.message)
}

function said({ end, bundle }: Facts): Judgement | undefined {
  if (end.kind !== 'message') return undefined
  const { message } = end
  if (message.t === 'result') {
    const { value, memory } = message
    return { outcome: 'completed', result: value, ...(memory === undefined ? {} : { memory }) }
  }
  if (message.t !== 'failed') return undefined
  const error = mapError(message.error, bundle)
  if (NO_MEMORY.test(error.message))
    return { outcome: 'out-of-memory', error: { ...error, type: 'out-of-memory' } }
  return { outcome: 'failed', error: message.permanent ? { ...error, permanent: true } : error }
}

function ended({ receipt }: Facts): Judgement {
  switch (receipt.endedBy) {
    case 'worker-gone':
      return problem('interrupted', 'interrupted', 'the launcher ended during the attempt')
    case 'host-lost':
      return problem('interrupted', 'interrupted', 'the thread host ended during the attempt')
    case 'out-of-memory':
      return problem('out-of-memory', 'out-of-memory', `more than ${receipt.limits.memoryBytes.value} bytes`)
    case 'output-limit':
      return problem('failed', 'output-limit', 'more output than is allowed')
    case 'exit':
      return problem('failed', 'exited', `the agent ended its process with code ${receipt.exitCode}`)
    default:
      return problem(
        'failed',
        'crashed',
        `the context ended without a result (${receipt.signal ?? receipt.endedBy})`,
      )
  }
}

const problem = (outcome: Outcome, type: string, message: string): Judgement => ({
  outcome,
  error: { type, message },
})
