import { factsTable, table } from '../contexts/print.ts'
import type { SecretsReport } from './run.ts'

const NOTES = `Measured from inside a context at level namespace, in a cluster as \`threadbound up\` starts it: each read and
each call goes to the sidecar, is judged, and is in the audit log on disk before it is answered. Direct calls are
those of a Node process beside it, with fetch, to the same server on the loopback. Calls to Vault are what its own
audit device saw, logins, mints, refreshes and revocations included.
Not measured: a Vault that is not on this machine, TLS, bodies of more than a few bytes, more than one sidecar.`

const ms = (value: number) => value.toFixed(2)

/** The report for people, and what it does not say. */
export function printSecrets({ quick, coldMs, warm, calls, facts }: SecretsReport): string {
  const reads = [
    ['a secret, from inside a context', 'p50 ms', 'p99 ms', 'reads/s, 4 at once'],
    ['the first time', ms(coldMs), '', ''],
    ['again', ms(warm.p50Ms), ms(warm.p99Ms), warm.perSecond.toFixed(0)],
  ]
  const rows = Object.entries(calls).map(([name, { p50Ms, p99Ms, slowP50Ms }]) => [
    name,
    ms(p50Ms),
    ms(p99Ms),
    ms(slowP50Ms),
  ])
  const called = [['a call to a service', 'p50 ms', 'p99 ms', 'of 20 ms, p50'], ...rows]
  const head = `Secrets${quick ? ' (quick: the figures say nothing)' : ''}`
  return `${[head, table(reads), table(called), factsTable(facts), NOTES].join('\n\n')}\n`
}
