import { ClusterFileError, loadCluster } from '#lib/cluster'
import { CommandError } from '../errors.ts'
import { jsonText, printableLines } from '../terminal.ts'

/** Validates a cluster file without starting anything. Prints all problems, and exits 1 when there is one. */
export async function check(file: string, flags: { json?: boolean }): Promise<void> {
  const problems = await loadCluster(file).then(
    () => [],
    (error: unknown) => {
      if (!(error instanceof ClusterFileError)) throw error
      if (!flags.json) throw mistakes(file, error)
      return error.problems
    },
  )
  if (flags.json) process.stdout.write(`${jsonText({ file, valid: problems.length === 0, problems })}\n`)
  else process.stdout.write(`${printableLines(file)}: valid\n`)
  if (problems.length > 0) process.exitCode = 1
}

/** The problems, a line each as compilers write them, and their number. */
function mistakes(file: string, error: ClusterFileError): CommandError {
  process.stderr.write(`${printableLines(error.message)}\n`)
  const { length } = error.problems
  return new CommandError(`${file}: ${length} mistake${length === 1 ? '' : 's'}`, { cause: error })
}
