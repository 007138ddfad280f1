import { type Cluster, ClusterFileError, loadCluster } from '#lib/cluster'
import { messageOf } from '#lib/runtime'
import { CommandError } from '../errors.ts'
import { scheduleText } from '../secrets/schedule-text.ts'
import { readState } from '../target.ts'
import { jsonText, printableLines } from '../terminal.ts'

/** Options of `check`. */
export interface CheckOptions {
  data: string
  json?: boolean
}

/** When a secret is rotated, and who says so. */
interface Schedule {
  secret: string
  every: string
  scheduledBy: string
}

/**
 * Validates a cluster file without starting anything. Prints all problems, and exits 1 when there is one; else the schedules
 * of rotations in force: where a cluster of this file runs on the data directory, what its operators have set.
 */
export async function check(file: string, options: CheckOptions): Promise<void> {
  const found = await loadCluster(file).catch((error: unknown) => {
    if (!(error instanceof ClusterFileError) || !options.json) throw mistakes(file, error)
    return error
  })
  if (found instanceof ClusterFileError) {
    process.stdout.write(`${jsonText({ file, valid: false, problems: found.problems })}\n`)
    process.exitCode = 1
    return
  }
  const { schedules, warning } = await schedulesOf(found, options)
  if (warning) process.stderr.write(`warning: ${warning}\n`)
  const lines = [`${file}: valid`, ...schedules.map((one) => `${one.secret}: rotated ${scheduleText(one)}`)]
  const record = { file, valid: true, problems: [], schedules }
  process.stdout.write(`${options.json ? jsonText(record) : printableLines(lines.join('\n'))}\n`)
}

async function schedulesOf(
  cluster: Cluster,
  options: CheckOptions,
): Promise<{ schedules: Schedule[]; warning?: string }> {
  const written = Object.values(cluster.secrets).flatMap(({ name: secret, rotate }) =>
    rotate ? [{ secret, every: rotate.every, scheduledBy: 'cluster file' }] : [],
  )
  if (written.length === 0 || !(await isRunning(cluster, options))) return { schedules: written }
  try {
    const { runningRotations } = await import('../secrets/rotations.ts')
    const views = await runningRotations(options)
    return { schedules: views.map(({ secret, every, scheduledBy }) => ({ secret, every, scheduledBy })) }
  } catch (error) {
    return { schedules: written, warning: `what operators have set is not known: ${messageOf(error)}` }
  }
}

/** True when the cluster that runs on the data directory is of this file. */
async function isRunning({ file }: Cluster, { data }: CheckOptions): Promise<boolean> {
  try {
    const { clusterFile } = readState(data, '')
    return clusterFile !== undefined && (await loadCluster(clusterFile)).file === file
  } catch {
    return false
  }
}

/** The problems, a line each as compilers write them, and their number. */
function mistakes(file: string, error: unknown): unknown {
  if (!(error instanceof ClusterFileError)) return error
  process.stderr.write(`${printableLines(error.message)}\n`)
  const { length } = error.problems
  return new CommandError(`${file}: ${length} mistake${length === 1 ? '' : 's'}`, { cause: error })
}
