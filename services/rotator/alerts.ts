import type { Alerts } from '#lib/cluster'
import type { RaiseAlert } from '#lib/queue'

/** Alerts as the cluster file wants them: with `rotation-failed: false` a failure is in the log and the record alone. */
export function wantedAlerts({ rotationFailed }: Alerts, raise: RaiseAlert): RaiseAlert {
  return async (name, ...facts) => {
    if (name !== 'rotation-failed' || rotationFailed) await raise(name, ...facts)
  }
}
