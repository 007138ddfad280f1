/** What is compared, as the measurements see it. */

/** The agent that every contender runs. */
export type Workload = 'noop' | 'heavy'
export const WORKLOADS: Workload[] = ['noop', 'heavy']

/** One way to run requests. */
export interface Contender {
  name: string
  /** What is between one request and the next. */
  walls: 'none' | 'thread' | 'process' | 'namespace'
  /** True where a request finds what an earlier one left: no isolation, however fast. */
  reused: boolean
  /** The contender that does least behind the same walls. */
  primitive?: string
}

/** What a request gives: when the first line of agent code ran, ms since the epoch. */
export interface Answer {
  at: number
}

/** A contender that is open for one workload. */
export interface Running extends AsyncDisposable {
  contender: Contender
  /** Runs `count` requests, as many at once as it was opened for; gives how many ended each second. */
  perSecond(count: number): Promise<number>
  /** Enqueues one request at each of `arrivals` (ms from now); gives the ms from there to the first line of agent code. */
  toFirstLine(arrivals: number[]): Promise<number[]>
  /** Runs `count` requests that each stay inside for `holdMs`. */
  hold(count: number, holdMs: number): Promise<void>
  /** The processes that its contexts and what serves them live in. */
  processes(): number[]
  /** How many contexts it keeps, whether there are requests or not. */
  startedAhead?: number
}

/** What a cell is opened with. */
export interface Setting {
  workload: Workload
  atOnce: number
}

export const epochMs = () => performance.timeOrigin + performance.now()

/** Waits until `dueMs` on the clock of {@link epochMs}. */
export async function until(dueMs: number): Promise<void> {
  const left = dueMs - epochMs()
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left))
}

/** Measures by single requests, for all that answer them in this process. */
export function byRequests(
  atOnce: number,
  request: (input: { holdMs: number }) => Promise<Answer>,
): Pick<Running, 'perSecond' | 'toFirstLine' | 'hold'> {
  return {
    async perSecond(count) {
      const begin = performance.now()
      let next = 0
      const lane = async () => {
        while (next++ < count) await request({ holdMs: 0 })
      }
      await Promise.all(Array.from({ length: atOnce }, lane))
      return (count * 1000) / (performance.now() - begin)
    },
    async toFirstLine(arrivals) {
      const begin = epochMs()
      return Promise.all(
        arrivals.map(async (ms) => {
          await until(begin + ms)
          const asked = epochMs()
          return (await request({ holdMs: 0 })).at - asked
        }),
      )
    },
    async hold(count, holdMs) {
      await Promise.all(Array.from({ length: count }, () => request({ holdMs })))
    },
  }
}
