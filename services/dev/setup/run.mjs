/** The set-up's steps, in order. Plain JavaScript for Node >= 18, because it runs before the project's own Node is there. */
import { fileURLToPath } from 'node:url'
import { SetupError, say } from './report.mjs'
import { ensureDependencies, ensureNode, nodeOf, unlinkBrokenNode } from './dependencies.mjs'
import { missingPrograms, wantedPrograms } from './programs.mjs'
import { installPrograms } from './install.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const forTests = process.argv.includes('--test') || process.env.TB_SETUP === 'test'

try {
  ensureDependencies(root)
  const wanted = wantedPrograms({ forTests, env: process.env, node: nodeOf(root) })
  const missing = missingPrograms(wanted, process.env)
  if (missing.length > 0) installPrograms(missing)
  ensureNode(root)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  say(error.message)
  unlinkBrokenNode(root)
  process.exitCode = 1
}
