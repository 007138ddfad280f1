import { cacheOf, type Secret } from '#lib/cluster'
import { messageOf } from '#lib/runtime'
import type { VaultTarget } from '../vault-target.ts'
import { ageText } from './age.ts'
import { readingLines } from './report.ts'
import { type Act, type Reading, SidecarOperator } from './sidecar.ts'

/** What became of a change beside Vault. */
export interface Told {
  /** What agent types find now; null when there is no sidecar to tell. */
  readings: Reading[] | null
  /** Whether the change is in the audit log of the cluster. */
  recorded: boolean
  /** Why not, and what follows. */
  warnings: string[]
}

/**
 * Puts a change on record and has the sidecar take it up. Vault holds it already, so nothing here fails: what cannot be
 * done is said.
 */
export async function tellSidecar({ operator, cluster }: VaultTarget, act: Act): Promise<Told> {
  if (!operator)
    return {
      readings: null,
      recorded: false,
      warnings: [untold(cluster.secrets[act.secret]!), 'only the audit log of Vault has this on record'],
    }
  const sidecar = new SidecarOperator(operator)
  const warnings: string[] = []
  const failed = (what: string) => (error: unknown) => void warnings.push(`${what}: ${messageOf(error)}`)
  const recorded = await sidecar.record(act).then(() => true, failed('not in the audit log'))
  const readings = await sidecar.refresh(act.secret).catch(failed('not taken up yet'))
  return { readings: readings ?? null, recorded: recorded === true, warnings }
}

/** The same for people; warnings go to stderr. */
export function toldLines({ readings, warnings }: Told): string[] {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`)
  return readingLines(readings ?? [])
}

const untold = (secret: Secret) =>
  `sidecars of this cluster are not told: they keep a value for up to ${ageText(cacheOf(secret).freshMs)}, and that there is none for 10 s`
