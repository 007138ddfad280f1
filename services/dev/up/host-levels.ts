import type { Cluster } from '#lib/cluster'
import { type LevelReport, probeLevels } from '#lib/context'
import { PermanentError } from '#lib/runtime'

/** This host cannot give a level that the cluster asks for; the level is never weakened silently. */
export class LevelRefusedError extends PermanentError {
  override readonly name = 'LevelRefusedError'
  constructor({ level, reason, remedy }: LevelReport, agentTypes: string[]) {
    super(
      `isolation ${level} (${agentTypes.join(', ')}) is not possible on this host: ${reason ?? 'unknown reason'}. ` +
        `To get it: ${remedy ?? 'see the documentation'}`,
    )
  }
}

/** Checks that this host gives every level that the cluster asks for. @throws LevelRefusedError with the remedy */
export async function checkLevels(
  cluster: Cluster,
  probe: () => Promise<LevelReport[]> = probeLevels,
): Promise<void> {
  const agents = Object.values(cluster.agents)
  for (const report of await probe()) {
    const asking = agents.filter(({ isolation }) => isolation === report.level).map(({ name }) => name)
    if (asking.length > 0 && !report.available) throw new LevelRefusedError(report, asking)
  }
}
