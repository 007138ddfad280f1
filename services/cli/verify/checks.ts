import type { Level } from '#lib/wire'
import type { Bounded } from './bounded.ts'
import { ALL, WALLED } from './canary/probe.ts'
import type { Flown } from './generation.ts'
import type { CanaryEnd } from './stage.ts'

/** Everything that is known of one column when its canaries have ended. */
export interface Evidence {
  flown: Flown[]
  /** Undefined in the control: it would take the process down. */
  bounded: Bounded | undefined
  /** What the listeners heard, by row. */
  heard: Map<string, string[]>
  /** What canaries left on the host. */
  files: string[]
  processes: string[]
  isRoot: boolean
}

/** What the host judges, not the canary. One with the name of a probe adds to the probe's row. */
export interface Check {
  name: string
  tried: string
  promised: readonly Level[]
  /** What was seen; undefined when it was not tried. */
  judge(evidence: Evidence): string[] | undefined
}

/** I2 says one second after the timeout; the rest is for a machine that is busy with something else. */
const LATE_MS = 5000

export const CHECKS: readonly Check[] = [
  {
    name: 'own-context',
    tried: 'a context that two attempts entered, by its id and by what the launcher counted',
    promised: ALL,
    judge: ({ flown }) => [
      ...twice(
        'context',
        flown.map(({ canary }) => canary.id),
      ),
      ...flown.flatMap(({ end, mark }) =>
        end.receipt?.reuse ? [`reuse ${end.receipt.reuse} of ${mark.mark}`] : [],
      ),
    ],
  },
  {
    name: 'own-process',
    tried: 'a process, and where root a uid, that two attempts shared',
    promised: WALLED,
    judge: ({ flown, isRoot }) => [
      ...twice(
        'pid',
        flown.map(({ canary }) => canary.pid),
      ),
      ...(isRoot
        ? twice(
            'uid',
            flown.flatMap(({ snapshot }) => snapshot?.uids[0] ?? []),
          )
        : []),
    ],
  },
  {
    name: 'identity',
    tried: 'uid or gid 0 outside, groups, capabilities, privileges to gain',
    promised: WALLED,
    judge: ({ flown, isRoot }) => flown.flatMap((one) => strange(one, isRoot)),
  },
  {
    name: 'descriptors',
    tried: 'sockets, pipes and files shared with worker, launcher and sidecar',
    promised: WALLED,
    judge: ({ flown }) => flown.flatMap(({ shared }) => shared),
  },
  { name: 'left-files', tried: 'looked for on the host', promised: WALLED, judge: ({ files }) => files },
  {
    name: 'left-processes',
    tried: 'looked for on the host, and counted by the launcher',
    promised: WALLED,
    judge: ({ processes, flown }) => [...processes, ...flown.flatMap(({ end }) => leftOver(end))],
  },
  {
    name: 'heap-limit',
    tried: 'objects without end',
    promised: ALL,
    judge: ({ bounded }) => bounded && unless(bounded.heap, 'out-of-memory'),
  },
  {
    name: 'memory-limit',
    tried: 'buffers without end',
    promised: WALLED,
    judge: ({ bounded }) => bounded?.buffers && unless(bounded.buffers, 'out-of-memory'),
  },
  {
    name: 'timeout',
    tried: 'a loop without end',
    promised: ALL,
    judge: ({ bounded }) => bounded && [...unless(bounded.spin, 'timed-out'), ...late(bounded)],
  },
]

function leftOver({ receipt }: CanaryEnd): string[] {
  const found = Object.entries(receipt?.leftOver ?? {}).filter(([, count]) => count !== null && count > 0)
  return found.map(([what, count]) => `${count} ${what} after the kill`)
}

function twice(what: string, all: (string | number)[]): string[] {
  const groups = Map.groupBy(all, (one) => one)
  return [...groups]
    .filter(([, users]) => users.length > 1)
    .map(([one, users]) => `${what} ${one}: ${users.length} attempts`)
}

function strange({ snapshot, mark: { mark } }: Flown, isRoot: boolean): string[] {
  if (!snapshot) return [`${mark}: the host could not look at it`]
  const { uids, gids, groups, capabilities, noNewPrivileges } = snapshot
  const foreign = isRoot ? groups : groups.filter((gid) => gid === 0)
  return [
    ...(uids.includes(0) ? [`${mark}: uid 0`] : []),
    ...(gids.includes(0) ? [`${mark}: gid 0`] : []),
    ...(foreign.length > 0 ? [`${mark}: groups ${foreign.join(', ')}`] : []),
    ...(capabilities.length > 0 ? [`${mark}: ${capabilities.join(', ')}`] : []),
    ...(noNewPrivileges ? [] : [`${mark}: may gain privileges`]),
  ]
}

function unless(end: CanaryEnd, outcome: CanaryEnd['outcome']): string[] {
  return end.outcome === outcome ? [] : [`ended ${end.outcome}${end.error ? ` (${end.error.message})` : ''}`]
}

function late({ spin: { receipt }, timeoutMs }: Bounded): string[] {
  const tookMs = receipt?.acquiredAt ? receipt.endedAt - receipt.acquiredAt : 0
  return tookMs > timeoutMs + LATE_MS ? [`free after ${tookMs} ms`] : []
}
